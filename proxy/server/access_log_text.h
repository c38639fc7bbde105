// Writes text and numbers of a log line into memory that is known to be large enough; each returns
// the new end.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/base/time.h"
#include "proxy/net/worker_env.h"

namespace berth::server {

inline char* put(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}
// A literal's length is known: a move or two.
template <size_t N>
char* put_literal(char* out, const char (&text)[N]) {
  std::memcpy(out, text, N - 1);
  return out + N - 1;
}

inline char* put_number(char* out, uint64_t value) {
  return std::to_chars(out, out + 20, value).ptr;
}

// `value`, below a million, as exactly six digits.
inline char* put_six_digits(char* out, uint32_t value) {
  const auto put_pair = [](char* at, uint32_t pair) {
    at[0] = static_cast<char>('0' + pair / 10);
    at[1] = static_cast<char>('0' + pair % 10);
  };
  put_pair(out, value / 10'000);
  put_pair(out + 2, value / 100 % 100);
  put_pair(out + 4, value % 100);
  return out + 6;
}

// Which connection: its worker and its number there, "0-17".
inline char* put_connection(char* out, const net::ConnectionId& id) {
  out = put_number(out, id.worker);
  *out++ = '-';
  return put_number(out, id.number);
}

// Seconds with microseconds: "0.001234".
inline char* put_seconds(char* out, Duration duration) {
  const uint64_t micros =
      duration.count() <= 0 ? 0 : static_cast<uint64_t>(duration.count()) / 1000;
  out = put_number(out, micros / 1'000'000);
  *out++ = '.';
  return put_six_digits(out, static_cast<uint32_t>(micros % 1'000'000));
}

// The inside of a JSON string. At most six bytes for each byte of the text.
char* put_json_text(char* out, std::string_view text);

// As nginx escapes. At most four bytes for each byte of the text.
char* put_hex_escaped(char* out, std::string_view text);

}  // namespace berth::server
