// Which bytes may stand where in a head: constant tables, indexed by byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/base/letter_case.h"

namespace berth::http {

// A set of bits.
using CharClass = uint8_t;
inline constexpr CharClass kTokenChar = 1 << 0;   // RFC 9110 section 5.6.2: tchar
inline constexpr CharClass kValueChar = 1 << 1;   // values and reasons: HTAB, SP, VCHAR, obs-text
inline constexpr CharClass kTargetChar = 1 << 2;  // VCHAR without '#': a fragment never travels
inline constexpr CharClass kHostChar = 1 << 3;    // RFC 3986's unreserved set (see authority.h)
inline constexpr CharClass kDigit = 1 << 4;

namespace detail {
constexpr std::array<CharClass, 256> make_char_classes() {
  std::array<CharClass, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool digit = c >= '0' && c <= '9';
    const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool visible = c > 0x20 && c < 0x7f;
    const auto one_of = [c](std::string_view set) {
      return c != 0 && c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    CharClass bits = 0;
    if (digit || alpha || one_of("!#$%&'*+-.^_`|~")) bits |= kTokenChar;
    if (visible || c == ' ' || c == '\t' || c >= 0x80) bits |= kValueChar;
    if (visible && c != '#') bits |= kTargetChar;
    if (digit || alpha || one_of("-._~")) bits |= kHostChar;
    if (digit) bits |= kDigit;
    table[c] = bits;
  }
  return table;
}
}  // namespace detail

inline constexpr std::array<CharClass, 256> kCharClasses = detail::make_char_classes();

constexpr bool is_class(char c, CharClass which) {
  return (kCharClasses[static_cast<uint8_t>(c)] & which) != 0;
}

// RFC 9110 section 5.6.2.
constexpr bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_class(c, kTokenChar)) return false;
  }
  return !text.empty();
}

constexpr bool is_space_or_tab(char c) {
  return c == ' ' || c == '\t';
}

constexpr char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace berth::http
