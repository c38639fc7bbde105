// Keeps retries from becoming a storm: no more than a share of the requests, in the long run. What
// was not used is saved, up to a limit: a server that is killed takes all its requests along at
// once.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proxy/base/count.h"
#include "proxy/config/config.h"

namespace berth::upstream {

// Of one upstream in one worker. Thread: the worker's.
class RetryBudget {
 public:
  // What so many requests have earned is saved.
  static constexpr uint32_t kMostSaved = 500;

  void request_began() {
    ++in_flight_;
    saved_ = std::min(saved_ + 1, kMostSaved);
  }
  void request_ended() { move_count(in_flight_, -1); }
  // False when the budget is used up. A retry is one of `budget_min` until retry_ended().
  bool try_retry(const config::Retry& limits) {
    if (retries_ >= limits.budget_min) {
      if (limits.budget_percent == 0) return false;
      const uint32_t price = (99 + limits.budget_percent) / limits.budget_percent;  // in requests
      if (saved_ < price) return false;
      saved_ -= price;
    }
    ++retries_;
    return true;
  }
  void retry_ended() { move_count(retries_, -1); }
  uint32_t in_flight() const { return in_flight_; }

 private:
  uint32_t in_flight_ = 0;
  uint32_t retries_ = 0;  // in flight
  uint32_t saved_ = 0;    // requests that have not paid for a retry
};

}  // namespace berth::upstream
