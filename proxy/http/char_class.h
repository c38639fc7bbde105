// Which bytes may stand where in a head: constant tables, indexed by byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace berth::http {

enum CharClass : uint8_t {
  kTokenChar = 1 << 0,   // RFC 9110 section 5.6.2: tchar
  kValueChar = 1 << 1,   // field values and reason phrases: HTAB, SP, VCHAR, obs-text
  kTargetChar = 1 << 2,  // request targets: VCHAR without '#'; a fragment never travels
  kHostChar = 1 << 3,    // names in an authority: RFC 3986's unreserved set (see authority.h)
  kDigit = 1 << 4,
};

namespace detail {
constexpr std::array<uint8_t, 256> make_char_classes() {
  std::array<uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool digit = c >= '0' && c <= '9';
    const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool visible = c > 0x20 && c < 0x7f;
    const auto one_of = [c](std::string_view set) {
      return c != 0 && c < 0x80 && set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    uint8_t bits = 0;
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

inline constexpr std::array<uint8_t, 256> kCharClasses = detail::make_char_classes();

constexpr bool is_class(char c, CharClass which) {
  return (kCharClasses[static_cast<uint8_t>(c)] & which) != 0;
}

constexpr bool is_space_or_tab(char c) {
  return c == ' ' || c == '\t';
}

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace berth::http
