#include "proxy/server/log.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <ctime>

#include "proxy/base/enum_array.h"
#include "proxy/server/log_writer.h"

namespace berth::server {
namespace {

constexpr EnumArray<LogLevel, std::string_view, 3> kLevelNames = {"info", "warn", "error"};

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else {
      out.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
}

}  // namespace

std::string format_log_line(int64_t unix_ms, LogLevel level, std::string_view topic,
                            std::string_view message) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char date[32];
  char time[40];
  std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(time, sizeof(time), "%s.%03dZ ", date, static_cast<int>(unix_ms % 1000));

  std::string line = time;
  line.append(kLevelNames[level]).append(" ").append(topic).append(": ");
  append_escaped(line, message);
  line.push_back('\n');
  return line;
}

void log_line(LogLevel level, std::string_view topic, std::string_view message) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::string line = format_log_line(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count(), level, topic, message);
  if (hand_to_log_writer(line)) return;
  // What standard error does not take is lost: there is nowhere else to say so.
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace berth::server
