#include "proxy/server/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "proxy/event/signals.h"
#include "proxy/server/log.h"

namespace berth::server {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kStandardOutput = "-";
constexpr Duration kGiveUpAfter = 1s;

std::string message_of(int error) {
  return std::generic_category().message(error);
}

// O_NONBLOCK: opening a FIFO that nobody reads is an error, and writing to it does not block.
UniqueFd open_file(const std::string& path) {
  UniqueFd fd(path == kStandardOutput
                  ? LogOutput::share(STDOUT_FILENO)
                  : UniqueFd(::open(path.c_str(),
                                    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640)));
  if (!fd) throw std::runtime_error("access log " + path + ": " + message_of(errno));
  return fd;
}

// What open_file() would come to, without making the file. 0: it would be opened.
int error_of_opening(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK));
  if (fd) return 0;
  if (errno != ENOENT) return errno;
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  return ::access(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
}

int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / 1ns;
}

}  // namespace

void check_access_log(config::LoadResult& loaded) {
  if (!loaded.ok() || !loaded.config->access_log.enabled) return;
  const std::string& path = loaded.config->access_log.path;
  if (path == kStandardOutput) return;
  const int error = error_of_opening(path);
  if (error == 0) return;
  const config::Mark at = config::place_of(loaded.places, "access_log.path");
  loaded.diagnostics.push_back({config::Level::Warning, at.line, at.column,
                                "access log " + path + ": " + message_of(error),
                                "Berth would not start here; or write access_log: off"});
}

AccessLog::AccessLog(const config::AccessLog& config)
    : shared_(std::make_shared<AccessLogShared>(config)), path_(config.path) {
  if (config.enabled) output_ = LogOutput(open_file(config.path));
  shared_->wake_fd.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared_->wake_fd) throw std::runtime_error("access log: eventfd: " + message_of(errno));
  writer_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  give_up_at_ns_ = now_ns() + Duration(kGiveUpAfter).count();
  shared_->wake();
  writer_.join();
}

std::unique_ptr<AccessLogWorker> AccessLog::worker(std::shared_ptr<stats::WorkerStats> stats) {
  auto channel = std::make_shared<AccessLogChannel>();
  {
    std::lock_guard lock(mutex_);
    channels_.push_back(channel);
  }
  return std::make_unique<AccessLogWorker>(shared_, std::move(channel), std::move(stats));
}

UniqueFd AccessLog::open_for(const config::AccessLog& config) {
  std::lock_guard lock(mutex_);
  const bool other = config.path != path_ || !shared_->rules()->enabled;
  return config.enabled && other ? open_file(config.path) : UniqueFd();
}

void AccessLog::configure(const config::AccessLog& config, UniqueFd file) {
  std::lock_guard lock(mutex_);
  if (file) {
    new_file_ = std::move(file);
    path_ = config.path;
    has_new_file_.store(true, std::memory_order_release);
    shared_->wake();
  }
  shared_->set_rules(config);
}

void AccessLog::reopen() {
  std::lock_guard lock(mutex_);
  if (path_ == kStandardOutput || !shared_->rules()->enabled) return;
  try {
    new_file_ = open_file(path_);
  } catch (const std::runtime_error& error) {
    log_error("reopen", error.what(), "; the old file is kept");
    return;
  }
  has_new_file_.store(true, std::memory_order_release);
  shared_->wake();
}

// --- The writer thread ---

void AccessLog::run() {
  // (So a reader of a pipe that went away is an error of write().)
  event::leave_signals_to_main_thread();
  for (bool last = false; !last;) {
    pollfd wait{shared_->wake_fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, -1) > 0) {
      uint64_t count = 0;
      if (::read(shared_->wake_fd.get(), &count, sizeof(count)) < 0) count = 0;
    }
    // Before draining: all that was handed over before the end was asked for is written.
    last = give_up_at_ns_ != INT64_MAX;
    take_new_file();
    while (drain_once()) {
    }
  }
}

void AccessLog::take_new_file() {
  if (!has_new_file_.load(std::memory_order_acquire)) return;
  std::lock_guard lock(mutex_);
  output_ = LogOutput(std::move(new_file_));
  torn_ = false;
  has_new_file_.store(false, std::memory_order_relaxed);
}

// One buffer of each worker. False when there was none.
bool AccessLog::drain_once() {
  std::vector<std::shared_ptr<AccessLogChannel>> channels;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(channels_, [](const auto& channel) {
      return channel->closed() && channel->front().empty();
    });
    channels = channels_;
  }
  bool any = false;
  for (const auto& channel : channels) {
    const std::string_view lines = channel->front();
    if (lines.empty()) continue;
    // Only now: lines that were handed over after a reopen() go to the new file.
    take_new_file();
    write_out(*channel, lines);
    channel->pop();
    any = true;
  }
  return any;
}

void AccessLog::write_out(AccessLogChannel& channel, std::string_view lines) {
  if (torn_ && write_some("\n") == 0) {
    channel.add_lost(count_lines(lines));
    return;
  }
  torn_ = false;
  while (!lines.empty()) {
    const size_t written = write_some(lines);
    if (written == 0) {
      channel.add_lost(count_lines(lines));
      return;
    }
    torn_ = lines[written - 1] != '\n';
    lines.remove_prefix(written);
  }
}

// Bytes written; 0 if that is not to be had.
size_t AccessLog::write_some(std::string_view lines) {
  const size_t written = output_.write(lines, [this] {
    return now_ns() >= give_up_at_ns_ || has_new_file_.load(std::memory_order_acquire);
  });
  if (written > 0 || output_.error() != 0) report(output_.error());
  return written;
}

// Says so when writing begins to fail and when it works again, not for each line.
void AccessLog::report(int error) {
  if (error == last_error_) return;
  last_error_ = error;
  std::string path;
  {
    std::lock_guard lock(mutex_);
    path = path_;
  }
  if (error != 0) {
    log_error("access log", path, ": ", message_of(error), "; lines are being dropped");
  } else {
    log_info("access log", path, ": lines are being written again");
  }
}

}  // namespace berth::server
