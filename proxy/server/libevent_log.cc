#include "proxy/server/libevent_log.h"

#include <event2/event.h>

#include <chrono>

#include "proxy/server/log.h"
#include "proxy/server/log_limit.h"

namespace berth::server {
namespace {

void take_line(int severity, const char* text) {
  static LogLimit limit(std::chrono::seconds(10));
  if (severity == EVENT_LOG_DEBUG) return;
  const auto held_back = limit.admit(std::chrono::steady_clock::now());
  if (!held_back) return;
  const LogLevel level = severity == EVENT_LOG_ERR ? LogLevel::Error : LogLevel::Warn;
  log_line(level, "libevent",
           *held_back == 0
               ? std::string(text)
               : std::string(text) + " (and " + std::to_string(*held_back) + " lines before it)");
}

}  // namespace

void log_for_libevent() {
  event_set_log_callback(&take_line);
}

}  // namespace berth::server
