// Reads responses of known length off a connection, a piece at a time: enough of HTTP/1.1 to notice
// every wrong status and every wrong length, and no more.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/bench/fields.h"

namespace berth::bench {

class ResponseReader {
 public:
  enum class Outcome : uint8_t { NeedMore, Complete, Malformed };

  // Takes the bytes of one response; what follows the response is Malformed, since nothing more was
  // asked for. After Complete, status() and length() describe it until reset().
  Outcome feed(std::string_view bytes) {
    if (!in_body_) {
      if (!partial_head_.empty()) {
        partial_head_.append(bytes);
        bytes = partial_head_;
      }
      for (;;) {
        const size_t end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos) return keep_partial(bytes);
        if (!parse_head(bytes.substr(0, end + 2))) return Outcome::Malformed;
        bytes.remove_prefix(end + 4);
        if (status_ >= 200) break;  // interim responses are skipped
      }
      in_body_ = true;
      left_ = length_;
    }
    if (bytes.size() > left_) return Outcome::Malformed;
    left_ -= bytes.size();
    return left_ == 0 ? Outcome::Complete : Outcome::NeedMore;
  }

  void reset() {
    in_body_ = false;
    partial_head_.clear();
  }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] uint64_t length() const { return length_; }
  [[nodiscard]] bool says_close() const { return close_; }

 private:
  static constexpr size_t kMaxHead = 64 * 1024;

  Outcome keep_partial(std::string_view bytes) {
    if (bytes.size() > kMaxHead) return Outcome::Malformed;
    if (bytes.data() != partial_head_.data()) partial_head_.assign(bytes);
    return Outcome::NeedMore;
  }

  // `head` ends with the CRLF of its last line.
  bool parse_head(std::string_view head) {
    if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return false;
    if (std::from_chars(&head[9], &head[12], status_).ec != std::errc()) return false;
    std::optional<uint64_t> length;
    close_ = false;
    for_each_field(head, [&](std::string_view line) {
      if (const auto value = value_if(line, "content-length")) {
        length = to_number(*value);
      } else if (const auto option = value_if(line, "connection")) {
        close_ = *option == "close";
      }
    });
    length_ = length.value_or(0);
    return status_ < 200 || length.has_value();
  }

  std::string partial_head_;
  uint64_t length_ = 0;
  uint64_t left_ = 0;
  int status_ = 0;
  bool in_body_ = false;
  bool close_ = false;
};

}  // namespace berth::bench
