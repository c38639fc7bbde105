// Writes a message head into memory that the caller provides. Never writes past its end: a head
// that does not fit sets overflowed() and is not to be sent.
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
    if (char* to = take(text.size())) copy(to, text);
  }
  void append_number(uint64_t value);

  // "METHOD target HTTP/1.1\r\n"
  void request_line(std::string_view method, std::string_view target);
  // "HTTP/1.1 200 OK\r\n"
  void status_line(uint16_t status, std::string_view reason);
  // "Name: value\r\n"
  void field(std::string_view name, std::string_view value) {
    char* to = take(name.size() + value.size() + 4);
    if (to == nullptr) return;
    to = copy(to, name);
    *to++ = ':';
    *to++ = ' ';
    to = copy(to, value);
    *to++ = '\r';
    *to++ = '\n';
  }
  void field(std::string_view name, uint64_t value);
  // All fields for which keep(const HeaderField&) is true, in order. The fast way to forward a
  // head: neighbouring lines that were received in the form in which they are sent are copied at
  // once.
  template <class Keep>
  void fields(const HeaderList& list, Keep&& keep);
  // The empty line.
  void finish() { append("\r\n"); }

  bool overflowed() const { return overflowed_; }
  size_t size() const { return static_cast<size_t>(at_ - begin_); }
  std::string_view text() const { return {begin_, size()}; }

 private:
  // The next n bytes, or nullptr if there are fewer.
  char* take(size_t n) {
    if (static_cast<size_t>(end_ - at_) < n) [[unlikely]] {
      overflow();
      return nullptr;
    }
    char* const to = at_;
    at_ += n;
    return to;
  }

  // Nothing more is taken from here on, however short: no head with a hole in it.
  void overflow() {
    overflowed_ = true;
    end_ = at_;
  }

  // Names and values are mostly short: two overlapping words instead of a call.
  static char* copy(char* to, std::string_view text) {
    const char* const from = text.data();
    const size_t n = text.size();
    if (n > 32) {
      std::memcpy(to, from, n);
    } else if (n >= 16) {
      copy_ends<16>(to, from, n);
    } else if (n >= 8) {
      copy_ends<8>(to, from, n);
    } else if (n >= 4) {
      copy_ends<4>(to, from, n);
    } else {
      for (size_t i = 0; i < n; ++i) to[i] = from[i];
    }
    return to + n;
  }
  template <size_t kWord>
  static void copy_ends(char* to, const char* from, size_t n) {
    char head[kWord];
    char tail[kWord];
    std::memcpy(head, from, kWord);
    std::memcpy(tail, from + n - kWord, kWord);
    std::memcpy(to, head, kWord);
    std::memcpy(to + n - kWord, tail, kWord);
  }

  char* begin_;
  char* at_;
  char* end_;
  bool overflowed_ = false;
};

template <class Keep>
void HeadWriter::fields(const HeaderList& list, Keep&& keep) {
  const char* run = nullptr;  // lines not copied yet
  size_t run_size = 0;
  for (const HeaderField& f : list) {
    if (!keep(f)) continue;
    if (f.line_size != 0 && run + run_size == f.name.data()) {
      run_size += f.line_size;
      continue;
    }
    append({run, run_size});
    run = f.name.data();
    run_size = f.line_size;
    if (f.line_size == 0) field(f.name, f.value);
  }
  append({run, run_size});
}

// RFC 9110 section 15 and the IANA registry; "Unknown" for a code without one.
std::string_view reason_phrase(uint16_t status);

}  // namespace berth::http
