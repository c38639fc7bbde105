#include "proxy/base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "proxy/base/unique_fd.h"

namespace berth {

namespace {

// What fstat() finds instead: no errno says so.
constexpr int kNotAFile = -1;

std::string limit_text(size_t most) {
  return "more than " + std::to_string(most / 1024) + " KiB";
}

}  // namespace

std::string ReadFileError::words() const {
  if (error == kNotAFile) return "Not a file";
  return std::generic_category().message(error);
}

std::string ReadFileError::text() const {
  return hint.empty() ? words() : words() + " (" + hint + ")";
}

Result<std::string, ReadFileError> read_file(const std::string& path, size_t most) {
  const auto failed = [](int error, std::string hint = {}) {
    return Failure{ReadFileError{error, std::move(hint)}};
  };
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return failed(errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return failed(errno);
  if (S_ISDIR(info.st_mode)) return failed(EISDIR, "name a file");
  if (!S_ISREG(info.st_mode)) {
    return failed(kNotAFile, "a pipe or a device cannot be read again at a reload: name a file");
  }
  std::string text;
  std::array<char, 16 * 1024> chunk;
  while (true) {
    const ssize_t got = ::read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno);
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<size_t>(got));
    if (text.size() > most) return failed(EFBIG, limit_text(most));
  }
}

}  // namespace berth
