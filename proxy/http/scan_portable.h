// A scanner (scan.h) for every machine: eight bytes at a time.
#pragma once

#include <cstdint>
#include <cstring>

#include "proxy/http/char_class.h"
#include "proxy/http/line_shape.h"

namespace berth::http {

// Words of eight bytes that hold nothing special are skipped; the table decides on the others.
struct PortableScan {
  // The shape of a line that is whole and plain: see Sse2Scan. Here no line is.
  static bool plain_line(const char*, const char*, LineShape&) { return false; }

  static const char* value_end(const char* at, const char* end) {
    return skip(at, end, kValueChar,
                [](uint64_t w) { return has_less(w, 0x20) | has_byte(w, 0x7f); });
  }

  static const char* target_end(const char* at, const char* end) {
    return skip(at, end, kTargetChar, [](uint64_t w) {
      return has_less(w, 0x21) | has_byte(w, 0x7f) | has_byte(w, '#') | (w & kHighs);
    });
  }

  static const char* name_end(const char* at, const char* end) {
    return detail::skip_class(at, end, kTokenChar);
  }

  static const char* host_end(const char* at, const char* end) {
    return detail::skip_class(at, end, kHostChar);
  }

 private:
  static constexpr uint64_t kOnes = 0x0101010101010101;
  static constexpr uint64_t kHighs = 0x8080808080808080;

  // Not 0 if and only if some byte is less than `limit` (at most 128).
  static uint64_t has_less(uint64_t w, uint8_t limit) { return (w - kOnes * limit) & ~w & kHighs; }
  static uint64_t has_byte(uint64_t w, uint8_t byte) { return has_less(w ^ (kOnes * byte), 1); }

  template <class Special>
  static const char* skip(const char* at, const char* end, CharClass which, Special special) {
    while (end - at >= 8) {
      uint64_t word;
      std::memcpy(&word, at, sizeof word);
      if (special(word) != 0) {
        const char* stop = detail::skip_class(at, at + 8, which);
        if (stop != at + 8) return stop;
      }
      at += 8;
    }
    return detail::skip_class(at, end, which);
  }
};

}  // namespace berth::http
