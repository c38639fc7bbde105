// Header fields, as far as the tools of the benchmarks need them.
#pragma once

#include <strings.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::bench {

// What a browser sends besides Host and Connection.
inline constexpr char kBrowserFields[] =
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: application/json, text/plain, */*\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Referer: https://shop.example.com/products?page=3\r\n"
    "Cookie: session=s%3AbRk0u1cDkQf3n2vWgk0zJt7yq.kq9FmB0ZxYg1; theme=dark; consent=all\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Cache-Control: no-cache\r\n";

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
