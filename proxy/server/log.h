// The process log: one line for each event, on standard error.
//
//   2026-08-01T12:34:56.123Z info reload: servers: 3 kept, 1 changed (app/127.0.0.1:3000); ...
//
// For events of the process (start, reload, drain, a listener that cannot be opened), not for
// requests. While there is a LogWriter, writing is its thread's affair; before and after, a line is
// one write(2) and may block. Thread: any; lines of several threads do not mix.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace berth::server {

enum class LogLevel : uint8_t { Info, Warn, Error };

// Writes one line. Control bytes in `message` are escaped, so that nothing that came from outside
// can forge a line.
void log_line(LogLevel level, std::string_view topic, std::string_view message);

// The line as it is written, for a given time (milliseconds since 1970).
std::string format_log_line(int64_t unix_ms, LogLevel level, std::string_view topic,
                            std::string_view message);

namespace detail {

inline void append_part(std::string& out, std::string_view text) {
  out.append(text);
}
template <class Number>
requires(std::integral<Number> || std::floating_point<Number>) void append_part(std::string& out,
                                                                                Number value) {
  if constexpr (std::same_as<Number, bool>) {
    out.append(value ? "true" : "false");
  } else if constexpr (std::same_as<Number, char>) {
    out.push_back(value);
  } else {
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  }
}

template <class... Parts>
void log_parts(LogLevel level, std::string_view topic, const Parts&... parts) {
  std::string message;
  (append_part(message, parts), ...);
  log_line(level, topic, message);
}

}  // namespace detail

// Texts and numbers, written one after the other: log_info("reload", kept, " servers kept").
template <class... Parts>
void log_info(std::string_view topic, const Parts&... parts) {
  detail::log_parts(LogLevel::Info, topic, parts...);
}
template <class... Parts>
void log_warn(std::string_view topic, const Parts&... parts) {
  detail::log_parts(LogLevel::Warn, topic, parts...);
}
template <class... Parts>
void log_error(std::string_view topic, const Parts&... parts) {
  detail::log_parts(LogLevel::Error, topic, parts...);
}

}  // namespace berth::server
