#include "proxy/server/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

namespace berth::server {
namespace {

constexpr int kAskEveryMs = 100;

// A pipe takes at most PIPE_BUF bytes at once and in one piece: of these whole lines if possible,
// so that lines of others on the same pipe come between ours and not into them.
std::string_view piece_of(std::string_view lines) {
  if (lines.size() <= PIPE_BUF) return lines;
  const size_t end = lines.rfind('\n', PIPE_BUF - 1);
  return lines.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

}  // namespace

LogOutput::LogOutput(UniqueFd file) : file_(std::move(file)) {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) return;
  may_stand_still_ = !S_ISREG(info.st_mode);
  socket_ = S_ISSOCK(info.st_mode);
}

UniqueFd LogOutput::share(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode))) {
    // O_NONBLOCK belongs to the open file, which others share: it has to be one of our own.
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    UniqueFd own(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (own) return own;
  }
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

size_t LogOutput::write(std::string_view lines, const std::function<bool()>& gives_up) {
  const std::string_view piece = may_stand_still_ ? piece_of(lines) : lines;
  while (!may_stand_still_ || wait(gives_up)) {
    const ssize_t written =
        socket_ ? ::send(file_.get(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                : ::write(file_.get(), piece.data(), piece.size());
    if (written > 0) {
      error_ = 0;
      return static_cast<size_t>(written);
    }
    if (errno == EINTR || (errno == EAGAIN && may_stand_still_)) continue;
    error_ = errno;
    return 0;
  }
  error_ = 0;
  return 0;
}

// False when waiting has no sense any more.
bool LogOutput::wait(const std::function<bool()>& gives_up) const {
  while (true) {
    pollfd one{file_.get(), POLLOUT, 0};
    if (::poll(&one, 1, kAskEveryMs) > 0) return true;
    if (gives_up()) return false;
  }
}

size_t count_lines(std::string_view lines) {
  return static_cast<size_t>(std::count(lines.begin(), lines.end(), '\n'));
}

}  // namespace berth::server
