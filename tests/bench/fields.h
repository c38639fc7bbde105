// Header fields, as far as the tools of the benchmarks need them.
#pragma once

#include <strings.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::bench {

// Calls visit(line) for each line of a head after the first; the head ends with its last CRLF.
template <typename Visit>
void for_each_field(std::string_view head, Visit visit) {
  for (size_t at = head.find('\n') + 1; at < head.size();) {
    const size_t end = head.find('\n', at);
    visit(head.substr(at, end - at - 1));
    at = end + 1;
  }
}

// The value when the line is the field with this lower-case name.
inline std::optional<std::string_view> value_if(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return std::nullopt;
  if (strncasecmp(line.data(), name.data(), name.size()) != 0) return std::nullopt;
  line.remove_prefix(name.size() + 1);
  while (line.starts_with(' ')) line.remove_prefix(1);
  return line;
}

inline uint64_t to_number(std::string_view digits) {
  uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

}  // namespace berth::bench
