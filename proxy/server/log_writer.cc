#include "proxy/server/log_writer.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "proxy/event/signals.h"
#include "proxy/server/log.h"
#include "proxy/server/log_output.h"

namespace berth::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(1);  // with a reader that stands still, at the end

std::atomic<uint64_t> lost_lines{0};

}  // namespace

class LogQueue {
 public:
  explicit LogQueue(UniqueFd file) : output_(std::move(file)) {}

  void push(std::string_view line) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() + line.size() > LogWriter::kMostBytes) {
        ++unsaid_;
        lost_lines.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      waiting_ += line;
    }
    changed_.notify_all();
  }

  // The thread: until end().
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !waiting_.empty() || ending_; });
      if (waiting_.empty()) break;
      const std::string lines = std::exchange(waiting_, {});
      const uint64_t lost = std::exchange(unsaid_, 0);
      lock.unlock();
      write(lines);
      if (lost != 0) {
        log_warn("log", lost, lost == 1 ? " line was" : " lines were",
                 " lost here: nobody read this log in time");
      }
      lock.lock();
    }
    finished_ = true;
    changed_.notify_all();
  }

  void end() {
    std::unique_lock lock(mutex_);
    give_up_at_.store(Clock::now() + kPatience);
    ending_ = true;
    changed_.notify_all();
    // A little longer than the thread is patient itself.
    changed_.wait_for(lock, 2 * kPatience, [this] { return finished_; });
  }

 private:
  void write(std::string_view lines) {
    while (!lines.empty()) {
      const size_t written =
          output_.write(lines, [this] { return Clock::now() >= give_up_at_.load(); });
      if (written == 0) break;
      lines.remove_prefix(written);
    }
    lost_lines.fetch_add(count_lines(lines), std::memory_order_relaxed);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;  // whole lines
  uint64_t unsaid_ = 0;  // lines lost of which no line tells yet
  bool ending_ = false;
  bool finished_ = false;
  std::atomic<Clock::time_point> give_up_at_{Clock::time_point::max()};
  LogOutput output_;  // the thread's
};

namespace {

std::mutex current_mutex;
std::shared_ptr<LogQueue> current;

void make_current(std::shared_ptr<LogQueue> queue) {
  const std::lock_guard lock(current_mutex);
  current = std::move(queue);
}

}  // namespace

LogWriter::LogWriter(int fd) : queue_(std::make_shared<LogQueue>(LogOutput::share(fd))) {
  std::thread([queue = queue_] {
    event::leave_signals_to_main_thread();
    queue->run();
  }).detach();
  make_current(queue_);
}

LogWriter::~LogWriter() {
  make_current(nullptr);
  queue_->end();
}

bool hand_to_log_writer(std::string_view line) {
  std::shared_ptr<LogQueue> queue;
  {
    const std::lock_guard lock(current_mutex);
    queue = current;
  }
  if (queue == nullptr) return false;
  queue->push(line);
  return true;
}

uint64_t lost_log_lines() {
  return lost_lines.load(std::memory_order_relaxed);
}

}  // namespace berth::server
