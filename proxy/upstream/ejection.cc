#include "proxy/upstream/ejection.h"

#include <algorithm>

namespace berth::upstream {

namespace {
constexpr uint32_t kMostDoublings = 30;
}

void Ejector::eject(const config::Ejection& limits, TimePoint now) {
  const bool well_for_long = now - until() >= limits.max_time;
  times_ = well_for_long ? 0 : std::min(times_ + 1, kMostDoublings);
  const Duration longest = std::max(limits.time, limits.max_time);
  const bool at_most = limits.time > longest / (int64_t{1} << times_);
  const Duration out = at_most ? longest : limits.time * (int64_t{1} << times_);
  until_.store((now + out).time_since_epoch().count(), std::memory_order_relaxed);
  errors_.store(0, std::memory_order_relaxed);
}

bool may_eject(const config::Ejection& limits, size_t servers, size_t ejected,
               size_t others_ready) {
  if (others_ready == 0) return false;
  return ejected < std::max<size_t>(1, servers * limits.max_percent / 100);
}

bool shows_life(CloseReason reason) {
  using enum CloseReason;
  return reason == BadResponse || reason == ResponseHeadTooLarge ||
         reason == ResponseTooManyFields || reason == UnexpectedUpgrade;
}

bool counts_as_error(config::EjectFor count, uint16_t status) {
  switch (count) {
    case config::EjectFor::Failures:
      return false;
    case config::EjectFor::GatewayErrors:
      return status >= 502 && status <= 504;
    case config::EjectFor::ServerErrors:
      return status >= 500;
  }
  return false;
}

}  // namespace berth::upstream
