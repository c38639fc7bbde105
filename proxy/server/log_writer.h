// Writes the process log from a thread of its own, so that a reader that does not read holds up
// nobody: not reloads, nor health checks, nor the end of the process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace berth::server {

class LogQueue;

// While there is one, log_line() hands its lines to it; before and after, it writes them itself.
// One at a time. Thread: the main thread.
class LogWriter {
 public:
  static constexpr size_t kMostBytes = 256 * 1024;  // of lines that wait

  // Writes to `fd`, which outlives it. Throws std::system_error if there can be no thread.
  explicit LogWriter(int fd);
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  // Waits for what is left to be written, for a second at most if nobody reads.
  ~LogWriter();

 private:
  // Shared with the thread, which outlives this object if it is blocked in write().
  std::shared_ptr<LogQueue> queue_;
};

// Takes over one line, or counts it as lost where there is no room. False: there is no writer.
// Thread: any.
bool hand_to_log_writer(std::string_view line);

// Lines that nobody read in time, since the start of the process. Thread: any.
uint64_t lost_log_lines();

}  // namespace berth::server
