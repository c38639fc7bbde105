// How often something may happen: a burst, and a rate at which the burst is refilled.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/base/time.h"

namespace berth::http {

class TokenBucket {
 public:
  constexpr TokenBucket(uint32_t burst, uint32_t per_second)
      : burst_(kUnit * burst), per_second_(per_second), left_(burst_) {}

  // False if there are not `tokens` left at `now`, which never goes backwards.
  bool take(uint32_t tokens, TimePoint now) {
    if (left_ < burst_ && now > filled_at_) {
      const auto passed = static_cast<uint64_t>((now - filled_at_).count());
      const uint64_t missing = burst_ - left_;
      // Beyond that it is full: no overflow.
      const bool full = passed >= missing / per_second_ + 1;
      left_ += full ? missing : std::min(missing, passed * per_second_);
    }
    filled_at_ = now;
    const uint64_t cost = kUnit * tokens;
    if (cost > left_) return false;
    left_ -= cost;
    return true;
  }

 private:
  static constexpr uint64_t kUnit =
      1'000'000'000;  // of a token: a nanosecond's share at 1 a second
  uint64_t burst_;
  uint64_t per_second_;
  uint64_t left_;
  TimePoint filled_at_{};
};

}  // namespace berth::http
