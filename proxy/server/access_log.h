// The access log: lines are formatted by the workers into buffers of their own and written by one
// thread of its own, so that neither a slow disk nor a stalled reader of a pipe ever holds up a
// request. What cannot be kept is dropped and counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/config/config.h"
#include "proxy/config/loader.h"
#include "proxy/server/access_log_channel.h"
#include "proxy/server/log_output.h"
#include "proxy/stats/stats.h"

namespace berth::server {

// Adds a warning to what was loaded if the file of its access log could not be opened: it may be
// another machine's. Makes no file.
void check_access_log(config::LoadResult& loaded);

// Thread: any, but for construction and destruction. Outlives its sinks.
class AccessLog {
 public:
  // Opens the file (appending; made with mode 0640) or takes standard output, and starts the
  // writer. Throws std::runtime_error that names the path and the reason.
  explicit AccessLog(const config::AccessLog& config);
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  // Writes what the sinks have handed over; gives up on a reader that stands still for a second.
  ~AccessLog();

  // A sink for one worker. `stats` is counted by the worker's thread only.
  std::unique_ptr<AccessLogWorker> worker(std::shared_ptr<stats::WorkerStats> stats);

  // The file that `config` asks for, or none if the one in use stays. Throws as the constructor
  // does; changes nothing yet.
  UniqueFd open_for(const config::AccessLog& config);
  // Takes over another path or format from the next line on. `file`: from open_for().
  void configure(const config::AccessLog& config, UniqueFd file);
  void configure(const config::AccessLog& config) { configure(config, open_for(config)); }

  // Opens the file anew (after it was renamed): lines that are logged after this go to the new one.
  // On failure the old one is kept and the process log says why.
  void reopen();

 private:
  void run();
  void take_new_file();
  bool drain_once();
  void write_out(AccessLogChannel& channel, std::string_view lines);
  size_t write_some(std::string_view lines);
  void report(int error);

  const std::shared_ptr<AccessLogShared> shared_;
  std::mutex mutex_;  // of the three below; never taken by a worker that logs
  std::string path_;
  UniqueFd new_file_;
  std::vector<std::shared_ptr<AccessLogChannel>> channels_;
  std::atomic<bool> has_new_file_{false};
  std::atomic<int64_t> give_up_at_ns_{
      INT64_MAX};  // of the steady clock; set when the log is to end

  // The writer thread's own.
  LogOutput output_;
  bool torn_ = false;  // the last line was written in part
  int last_error_ = 0;

  std::thread writer_;
};

}  // namespace berth::server
