// Time as the proxy counts it: a monotonic clock in nanoseconds.
#pragma once

#include <chrono>
#include <cstdint>

namespace berth {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

constexpr double to_seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace berth
