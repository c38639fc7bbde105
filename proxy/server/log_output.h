// Where log lines go: a file, pipe, terminal or socket, which others may write to as well and which
// its reader may leave full.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "proxy/base/unique_fd.h"

namespace berth::server {

// Thread: one at a time.
class LogOutput {
 public:
  LogOutput() = default;  // takes nothing
  // `file` is open for writing.
  explicit LogOutput(UniqueFd file);

  // What this process was given as `fd` (standard output or error), opened so that writing to a
  // full pipe or terminal does not block, without a change for others that share it.
  static UniqueFd share(int fd);

  // Writes the beginning of `lines`, whole lines of it where they fit in one piece. Waits for a
  // reader that stands still; asks `gives_up` every 100 ms. Returns how many bytes were written; 0
  // on failure, and then error() says why: 0 if `gives_up` said so.
  size_t write(std::string_view lines, const std::function<bool()>& gives_up);
  int error() const { return error_; }

 private:
  bool wait(const std::function<bool()>& gives_up) const;

  UniqueFd file_;
  bool may_stand_still_ = false;  // a pipe, a terminal or a socket
  bool socket_ = false;
  int error_ = 0;
};

size_t count_lines(std::string_view lines);

}  // namespace berth::server
