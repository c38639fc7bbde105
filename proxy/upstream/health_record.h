// What a server's health checks have shown so far.
#pragma once

#include <cstdint>

#include "proxy/config/health.h"

namespace berth::upstream {

// A server that was never checked counts as healthy; its first check decides alone. After that it
// takes several in a row to change the verdict.
class HealthRecord {
 public:
  // True if the verdict has changed.
  bool note(bool passed, const config::HealthCheck& limits) {
    const bool before = healthy_;
    against_ = passed == healthy_ ? 0 : against_ + 1;
    const uint32_t needed = healthy_ ? limits.unhealthy_after : limits.healthy_after;
    if (against_ > 0 && (!checked_ || against_ >= needed)) {
      healthy_ = passed;
      against_ = 0;
    }
    checked_ = true;
    return healthy_ != before;
  }

 private:
  bool checked_ = false;
  bool healthy_ = true;
  uint32_t against_ = 0;  // checks in a row that speak against the verdict
};

}  // namespace berth::upstream
