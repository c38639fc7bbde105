// The limits of a server's pool over time: a reload changes them, and workers hear of it a
// little later.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "proxy/config/config.h"

namespace berth::sim {

class PoolLimits {
 public:
  void apply(const config::Pool& pool, TimePoint now) { all_.push_back({now, pool}); }

  // The server has left the configuration. What is still under way there ends with limits that it
  // had, whichever the worker knew last.
  void leave(TimePoint now) {
    if (all_.empty()) return;
    config::Pool loosest = all_.back().pool;
    for (const Era& era : all_) {
      loosest.keepalive_requests =
          std::max(loosest.keepalive_requests, era.pool.keepalive_requests);
      const auto& timeout = era.pool.keepalive_timeout;
      if (loosest.keepalive_timeout && timeout) {
        loosest.keepalive_timeout = std::max(*loosest.keepalive_timeout, *timeout);
      } else {
        loosest.keepalive_timeout.reset();
      }
    }
    all_.push_back({now, loosest});
  }

  // The loosest of those that a worker may have known at `at`, if it hears of a reload within
  // `delay`.
  uint32_t keepalive_requests(TimePoint at, Duration delay) const {
    uint32_t most = 0;
    for_each(at, delay,
             [&](const config::Pool& pool) { most = std::max(most, pool.keepalive_requests); });
    return most;
  }
  std::optional<Duration> keepalive_timeout(TimePoint at, Duration delay) const {
    std::optional<Duration> most = Duration(0);
    for_each(at, delay, [&](const config::Pool& pool) {
      if (most && pool.keepalive_timeout) {
        most = std::max(*most, *pool.keepalive_timeout);
      } else {
        most.reset();  // auto
      }
    });
    return most;
  }

 private:
  struct Era {
    TimePoint since;
    config::Pool pool;
  };
  template <class Visit>
  void for_each(TimePoint at, Duration delay, const Visit& visit) const {
    for (size_t i = 0; i < all_.size() && all_[i].since <= at; ++i) {
      const bool over = i + 1 < all_.size() && all_[i + 1].since + delay < at;
      if (!over) visit(all_[i].pool);
    }
  }

  std::vector<Era> all_;
};

}  // namespace berth::sim
