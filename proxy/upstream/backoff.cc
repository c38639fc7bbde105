#include "proxy/upstream/backoff.h"

#include <algorithm>

namespace berth::upstream {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint32_t kMostDoublings = 8;

int64_t since_epoch(TimePoint at) {
  return at.time_since_epoch().count();
}

}  // namespace

Trial Backoff::begin_trial(TimePoint now) {
  if (!away() || now < due() || trying_.exchange(true, std::memory_order_seq_cst)) return Trial();
  Trial trial(this);
  // The trial before this one may have ended between the look and the exchange.
  if (!away() || now < due()) return Trial();
  return trial;
}

bool Backoff::failed(ConnectFailure reason, TimePoint now, Trial trial) {
  if (trial) {
    const uint32_t failures = failures_.fetch_add(1, kRelaxed) + 1;
    const Duration pause = kFirst * (1 << std::min(failures, kMostDoublings));
    due_.store(since_epoch(now + std::min(kMost, pause)), std::memory_order_seq_cst);
    // (What Berth lacks says nothing about the server.)
    if (reason != CloseReason::NoLocalResources) reason_.store(reason, kRelaxed);
    return false;
  }
  if (away()) return false;
  failures_.store(0, kRelaxed);
  reason_.store(reason, kRelaxed);
  due_.store(since_epoch(now + kFirst), std::memory_order_seq_cst);
  return states_.set(stats::ServerState::BackingOff);
}

bool Backoff::succeeded() {
  return away() && states_.clear(stats::ServerState::BackingOff);
}

}  // namespace berth::upstream
