// Files that are read as a whole: the configuration, certificates, keys.
#pragma once

#include <cstddef>
#include <string>

#include "proxy/base/result.h"

namespace berth {

// Why a file was not read, and what a person could do about it.
struct ReadFileError {
  int error = 0;     // an errno, or -1: it is not a file
  std::string hint;  // "": the error says it

  // "Is a directory"
  std::string words() const;
  // "Is a directory (name a file)"
  std::string text() const;
};

// Reads a regular file of at most `most` bytes. Refuses everything else: opening a FIFO that nobody
// writes to would block for ever, and a pipe can be read only once, but these files are read again
// at each reload. EFBIG for a file that is longer.
Result<std::string, ReadFileError> read_file(const std::string& path, size_t most);

}  // namespace berth
