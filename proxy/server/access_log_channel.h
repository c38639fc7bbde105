// The way of log lines from one worker to the writer thread: two buffers that change hands, without
// a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/config/config.h"
#include "proxy/config/log_template.h"
#include "proxy/exchange/access_record.h"
#include "proxy/server/access_log_format.h"
#include "proxy/stats/stats.h"

namespace berth::server {

// Buffers are used in turn by both ends. `full` says whose one is: false, the worker's; true, the
// writer's.
class AccessLogChannel {
 public:
  static constexpr size_t kBufferSize = 64 * 1024;
  static_assert(kBufferSize >= kMaxAccessLine);

  AccessLogChannel();

  // --- The worker's end ---

  // Room for `size` bytes (at most kMaxAccessLine), or nullptr when the writer still has both
  // buffers. Sets `handed_over` if a buffer was handed over to make room: the writer is to be
  // woken.
  char* reserve(size_t size, bool& handed_over);
  void commit(size_t size) { current().used += size; }
  // Hands over what there is; false if there is nothing.
  bool hand_over();
  // Lines that the writer lost since the last call.
  uint64_t take_lost() { return lost_.exchange(0, std::memory_order_relaxed); }
  // After the last hand_over().
  void close() { closed_.store(true, std::memory_order_release); }

  // --- The writer's end ---

  // The oldest lines handed over; "" if there are none.
  std::string_view front() const;
  void pop();
  void add_lost(uint64_t lines) { lost_.fetch_add(lines, std::memory_order_relaxed); }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

 private:
  struct Buffer {
    std::unique_ptr<char[]> data;
    size_t used = 0;
    std::atomic<bool> full{false};
  };
  Buffer& current() { return buffers_[filling_]; }

  std::array<Buffer, 2> buffers_;
  size_t filling_ = 0;  // the worker's
  size_t writing_ = 0;  // the writer's
  std::atomic<uint64_t> lost_{0};
  std::atomic<bool> closed_{false};
};

// What is written, and how. Does not change.
struct AccessLogRules {
  explicit AccessLogRules(const config::AccessLog& config);

  bool enabled;
  config::LogFormat format;
  std::vector<config::LogPiece> pieces;  // of the template
  uint32_t min_status;                   // 0: none
  uint32_t sample;                       // one line of this many below min_status; 0: none
};

// What the log shares with its workers.
class AccessLogShared {
 public:
  explicit AccessLogShared(const config::AccessLog& config);

  // Wakes the writer.
  void wake() const;

  // Thread: any.
  void set_rules(const config::AccessLog& config);
  std::shared_ptr<const AccessLogRules> rules() const;
  // Rises with every set_rules(): a worker asks for the rules when it has changed.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  UniqueFd wake_fd;  // eventfd of the writer

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessLogRules> rules_;
  std::atomic<uint64_t> version_{1};
};

// One worker's sink. Thread: its worker's; the destructor's too.
class AccessLogWorker final : public exchange::AccessLogSink {
 public:
  AccessLogWorker(std::shared_ptr<const AccessLogShared> shared,
                  std::shared_ptr<AccessLogChannel> channel,
                  std::shared_ptr<stats::WorkerStats> stats);
  AccessLogWorker(const AccessLogWorker&) = delete;
  AccessLogWorker& operator=(const AccessLogWorker&) = delete;
  // Hands over what it has.
  ~AccessLogWorker() override;

  void log(const exchange::AccessRecord& record) override;

  // A full buffer is handed over at once.
  void flush() override;

 private:
  bool wanted(const exchange::AccessRecord& record);
  size_t write(char* out, const exchange::AccessRecord& record);

  const std::shared_ptr<const AccessLogShared> shared_;
  const std::shared_ptr<AccessLogChannel> channel_;
  const std::shared_ptr<stats::WorkerStats> stats_;
  std::shared_ptr<const AccessLogRules> rules_;
  uint64_t version_ = 0;      // of rules_
  uint32_t passed_over_ = 0;  // lines, since the last one of the sample
  AccessTime time_;
};

}  // namespace berth::server
