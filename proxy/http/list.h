// Walking over comma-separated lists (RFC 9110 section 5.6.1), without copying.
#pragma once

#include <string_view>

#include "proxy/http/char_class.h"

namespace berth::http {

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space_or_tab(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space_or_tab(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the text up to the next `separator` off the front of `rest`; trimmed, and maybe empty.
inline std::string_view next_part(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return trim(part);
}

}  // namespace berth::http
