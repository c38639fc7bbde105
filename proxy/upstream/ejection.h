// Passive health: a server whose requests fail in a row is left out for a time that doubles.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "proxy/base/close_reason.h"
#include "proxy/base/time.h"
#include "proxy/config/health.h"

namespace berth::upstream {

// Of one server, shared by all workers. Thread: any; written only when requests fail and when one
// succeeds after that.
class Ejector {
 public:
  // A request failed. True when that makes `errors` in a row: the server is to be ejected, if it
  // may.
  bool failed(const config::Ejection& limits) {
    return errors_.fetch_add(1, std::memory_order_relaxed) + 1 >= limits.errors;
  }
  void succeeded() {
    if (errors_.load(std::memory_order_relaxed) != 0) errors_.store(0, std::memory_order_relaxed);
  }

  // Leaves the server out from now on. Thread: one at a time.
  void eject(const config::Ejection& limits, TimePoint now);
  bool ejected(TimePoint now) const { return now < until(); }
  // When the last ejection ends or ended.
  TimePoint until() const { return TimePoint(Duration(until_.load(std::memory_order_relaxed))); }
  // It is asked again at once: its settings no longer eject.
  void pardon(TimePoint now) {
    until_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t> errors_{0};  // in a row
  std::atomic<int64_t> until_{INT64_MIN / 2};
  uint32_t times_ = 0;  // ejections, each soon after the last
};

// Whether one more server may be ejected. `servers`: of the upstream, those that an operator has
// taken out left aside; `ejected`: of them, already; `others_ready`: those that would be left.
bool may_eject(const config::Ejection& limits, size_t servers, size_t ejected, size_t others_ready);

// Whether an answer of the server itself is an error of the server.
bool counts_as_error(config::EjectFor count, uint16_t status);
// Whether a request that failed so had an answer, if a malformed one.
bool shows_life(CloseReason reason);

}  // namespace berth::upstream
