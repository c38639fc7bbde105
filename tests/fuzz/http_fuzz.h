// What the HTTP/1 fuzzers share.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/http/head_parser.h"
#include "proxy/http/head_parser_impl.h"
#include "proxy/http/head_writer.h"
#include "proxy/http/scan.h"
#include "tests/unit/http/head_dump.h"

namespace berth::http {

inline void require(bool holds, const char* what, std::string_view bytes,
                    std::string_view more = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\nbytes: %s\n%.*s\n", what, printable(bytes).c_str(),
               static_cast<int>(more.size()), more.data());
  std::abort();
}

// A copy that ends where its memory ends, so that a read beyond it is found.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes)
      : size_(bytes.size()), bytes_(std::make_unique_for_overwrite<char[]>(bytes.size())) {
    bytes.copy(bytes_.get(), size_);
  }
  char* data() { return bytes_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> bytes_;
};

// Cheap pseudo-random piece sizes from a seed that is part of the input.
class Pieces {
 public:
  explicit Pieces(uint8_t seed) : state_(seed) {}
  size_t next() {
    if (state_ == 0) return 1;  // byte by byte
    state_ = state_ * 1103515245 + 12345;
    return 1 + (state_ >> 16) % (size_t{1} << (state_ >> 28));
  }

 private:
  uint32_t state_;
};

template <class Head>
std::string outcome_text(const ParseOutcome& outcome, const Head& head) {
  if (outcome.status == ParseStatus::Incomplete) return "incomplete";
  if (outcome.status == ParseStatus::Refused) return std::string(info(outcome.refusal).label);
  return std::to_string(outcome.head_size) + " " + dump(head);
}

// The same bytes in pieces, each time at another address.
template <class Head>
std::string parse_in_pieces(std::string_view bytes, const HeadLimits& limits, uint8_t seed) {
  static Head head;
  HeadProgress progress;
  Pieces pieces(seed);
  size_t given = 0;
  for (;;) {
    given = std::min(bytes.size(), given + pieces.next());
    const ExactCopy copy(bytes.substr(0, given));
    const ParseOutcome outcome = HeadParser::parse(copy.view(), limits, progress, head);
    if (outcome.status != ParseStatus::Incomplete || given == bytes.size()) {
      return outcome_text(outcome, head);
    }
  }
}

// Pieces, scanners and a second trip through writer and parser must not change what a head means.
template <class Head>
void check_head(std::string_view bytes, const HeadLimits& limits, uint8_t seed) {
  static Head head;
  static Head other;
  HeadProgress progress;
  const ExactCopy copy(bytes);
  const ParseOutcome outcome = HeadParser::parse(copy.view(), limits, progress, head);
  const std::string whole = outcome_text(outcome, head);

  std::string pieces = parse_in_pieces<Head>(bytes, limits, seed);
  if (outcome.status == ParseStatus::Refused && pieces == "incomplete") {
    // Refused for the line that is still incomplete: in pieces that waits for the end of the line.
    pieces = parse_in_pieces<Head>(std::string(bytes) + "\r\n", limits, seed);
  }
  require(pieces == whole, "pieces lead to the same", bytes, whole + "\n" + pieces);

  uint32_t scanned = 0;
  uint32_t line_start = 0;
  const ParseOutcome portable =
      HeadParserImpl<PortableScan>::parse(copy.view(), limits, scanned, line_start, other);
  require(portable.status == outcome.status && portable.head_size == outcome.head_size,
          "scanners agree", bytes);
  if (outcome.status != ParseStatus::Complete) return;
  require(dump(other) == dump(head), "scanners agree", bytes, whole + "\n" + dump(other));
  require(outcome.head_size <= std::min(bytes.size(), limits.max_head), "size", bytes);
}

}  // namespace berth::http
