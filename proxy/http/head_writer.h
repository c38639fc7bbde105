// Writes a message head into memory that the caller provides. Never writes past its end: a head that
// does not fit sets overflowed() and is not to be sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/http/head.h"

namespace berth::http {

class HeadWriter {
 public:
  HeadWriter(char* out, size_t capacity) : begin_(out), at_(out), end_(out + capacity) {}

  void append(std::string_view text) {
    if (static_cast<size_t>(end_ - at_) < text.size()) {
      overflowed_ = true;
      return;
    }
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void append_number(uint64_t value);

  // "METHOD target HTTP/1.1\r\n"
  void request_line(std::string_view method, std::string_view target);
  // "HTTP/1.1 200 OK\r\n"; an empty reason is replaced by the standard phrase.
  void status_line(uint16_t status, std::string_view reason);
  // "Name: value\r\n"
  void field(std::string_view name, std::string_view value);
  void field(std::string_view name, uint64_t value);
  // The empty line.
  void finish() { append("\r\n"); }

  bool overflowed() const { return overflowed_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }
  std::string_view text() const { return {begin_, size()}; }

 private:
  char* begin_;
  char* at_;
  char* end_;
  bool overflowed_ = false;
};

// RFC 9110 section 15 and the IANA registry; "Unknown" for a code without one.
std::string_view reason_phrase(uint16_t status);

}  // namespace berth::http
