// What the loader has to say about a configuration: errors and warnings with their place in the
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::config {

// A place in the file, counted from 1. Line 0: nowhere in particular (the whole file, or no file).
struct Mark {
  uint32_t line = 0;
  uint32_t column = 0;
  bool operator==(const Mark&) const = default;
};

enum class Level : uint8_t { Error, Warning };

// A problem before it has a place: what is wrong, and what would be right (may be empty).
struct Complaint {
  std::string message;
  std::string hint;
};

struct Diagnostic {
  Level level = Level::Error;
  uint32_t line = 0;
  uint32_t column = 0;
  std::string message;
  std::string hint;
};

// "FILE:LINE:COLUMN: error: MESSAGE (HINT)", one line. The place is left out where there is none.
std::string to_string(const Diagnostic& diagnostic, std::string_view file);

// Quotes `text` for a message: control bytes escaped, long text shortened.
std::string in_quotes(std::string_view text);

// Collects diagnostics. Keeps the first kMaxKept errors and warnings and counts the rest, so that a
// hopeless file cannot flood the terminal; the same complaint about the same place is kept once.
class Diagnostics {
 public:
  static constexpr size_t kMaxKept = 100;

  void error(Mark mark, std::string message, std::string hint = {});
  void error(Mark mark, Complaint complaint);
  void warning(Mark mark, std::string message, std::string hint = {});

  // Further complaints will not be kept: the caller may save the work of making a hint.
  bool full() const { return kept_.size() >= kMaxKept; }
  size_t errors() const { return errors_; }

  // True if an error stands at `mark` already: what follows from it is no news.
  bool error_at(Mark mark) const;

  // What was kept, in the order of the file. Leaves this object empty.
  std::vector<Diagnostic> take();

 private:
  void add(Diagnostic diagnostic);

  std::vector<Diagnostic> kept_;
  size_t errors_ = 0;
  size_t dropped_ = 0;
};

}  // namespace berth::config
