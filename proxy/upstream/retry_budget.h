// Keeps retries from becoming a storm: at most a share of the requests in flight may be retries.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/config/config.h"

namespace berth::upstream {

// Of one upstream in one worker. Thread: the worker's.
class RetryBudget {
 public:
  void request_began() { ++in_flight_; }
  void request_ended() { --in_flight_; }
  // False when the budget is used up. A retry counts until retry_ended().
  bool try_retry(const config::Retry& limits) {
    const uint32_t share =
        static_cast<uint32_t>(uint64_t{in_flight_} * limits.budget_percent / 100);
    if (retries_ >= std::max(limits.budget_min, share)) return false;
    ++retries_;
    return true;
  }
  void retry_ended() { --retries_; }
  uint32_t in_flight() const { return in_flight_; }

 private:
  uint32_t in_flight_ = 0;
  uint32_t retries_ = 0;
};

}  // namespace berth::upstream
