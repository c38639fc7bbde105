#include "tests/sim/world.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace berth::sim {

namespace {

std::string formatted(const char* format, va_list arguments) {
  char text[1024];
  std::vsnprintf(text, sizeof text, format, arguments);
  return text;
}

}  // namespace

void World::after(Duration delay, std::function<void()> what) {
  events_.push_back({now_ + delay, dice_.next(), std::move(what)});
  std::push_heap(events_.begin(), events_.end(), later);
}

void World::run_one() {
  std::pop_heap(events_.begin(), events_.end(), later);
  const Event event = std::move(events_.back());
  events_.pop_back();
  event.what();
}

void World::advance_to(TimePoint at) {
  if (at <= now_) return;
  now_ = at;
  mix(static_cast<uint64_t>(at.time_since_epoch().count()));
}

void World::note(const char* format, ...) {
  if (!trace_) return;
  va_list arguments;
  va_start(arguments, format);
  char when[32];
  std::snprintf(when, sizeof when, "%12.6f  ", to_seconds(now_ - TimePoint(1000s)));
  lines_.push_back(when + formatted(format, arguments));
  va_end(arguments);
}

void World::fail(const char* format, ...) {
  if (failed()) return;
  va_list arguments;
  va_start(arguments, format);
  failure_ = formatted(format, arguments);
  va_end(arguments);
  note("BROKEN: %s", failure_.c_str());
}

}  // namespace berth::sim
