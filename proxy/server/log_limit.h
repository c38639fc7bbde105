// Lets one line of a kind through at a time: where there is one, there may be many.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "proxy/base/time.h"

namespace berth::server {

// Thread: any.
class LogLimit {
 public:
  explicit constexpr LogLimit(Duration between) : between_(between) {}

  // How many lines were held back since the last one, if this one may be written; nullopt: hold it
  // back.
  std::optional<uint64_t> admit(TimePoint now) {
    const int64_t at = now.time_since_epoch().count();
    int64_t until = quiet_until_.load(std::memory_order_relaxed);
    if (at < until || !quiet_until_.compare_exchange_strong(until, at + between_.count())) {
      held_back_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    return held_back_.exchange(0, std::memory_order_relaxed);
  }

 private:
  const Duration between_;
  std::atomic<int64_t> quiet_until_{0};
  std::atomic<uint64_t> held_back_{0};
};

}  // namespace berth::server
