// Request bodies in files without a name (see `spool` in the configuration).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "proxy/base/time.h"
#include "proxy/config/config.h"
#include "proxy/config/loader.h"
#include "proxy/net/spool.h"
#include "proxy/stats/stats.h"

namespace berth::server {

// The folder that files can be made in: the one that is configured, or for `auto` the first that
// can be written to of $TMPDIR, /var/tmp and /tmp. "": spool is off, or `auto` found none. Throws
// std::runtime_error if the configured one cannot be written to.
std::string find_spool_folder(const config::Spool& settings);

// Adds to `loaded` what is wrong with the folder, at its place in the file: for `berth check` and
// before each start and reload.
void check_spool_folder(config::LoadResult& loaded);

// One for all workers. Files outlive a reload, but not this. Thread: any, unless said otherwise.
class DiskSpool final : public net::Spool {
 public:
  // `complain` is given a line for people, at most one in ten seconds, on the thread that met the
  // failure.
  DiskSpool(stats::SpoolStats& stats, std::function<void(std::string)> complain)
      : stats_(stats), complain_(std::move(complain)) {}
  DiskSpool(const DiskSpool&) = delete;
  DiskSpool& operator=(const DiskSpool&) = delete;

  // New files are made in `folder` from now on. Thread: the main thread.
  void configure(const config::Spool& settings, std::string folder);

  Result<std::unique_ptr<net::SpoolFile>, CloseReason> open() override;
  uint64_t max_size() const override { return max_size_.load(std::memory_order_relaxed); }

 private:
  class File;
  // False if the budget has no room for them.
  bool take(uint64_t bytes);
  void give_back(uint64_t bytes);
  // Counts a failure, and says so. `what` was tried; `error`: errno.
  CloseReason failed(std::string_view what, int error);
  void complain(std::string line);

  stats::SpoolStats& stats_;
  const std::function<void(std::string)> complain_;
  std::atomic<uint64_t> max_size_{0};
  std::atomic<uint64_t> budget_{0};
  std::atomic<int64_t> quiet_until_{0};  // of complaints; of the steady clock
  std::mutex mutex_;
  std::string folder_;  // under the mutex
};

}  // namespace berth::server
