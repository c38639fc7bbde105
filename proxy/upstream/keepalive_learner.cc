#include "proxy/upstream/keepalive_learner.h"

#include <algorithm>

namespace berth::upstream {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

int64_t since_epoch(TimePoint at) {
  return at.time_since_epoch().count();
}

// Within a quarter of the larger.
bool about_equal(int64_t a, int64_t b) {
  return std::max(a, b) - std::min(a, b) <= std::max(a, b) / 4;
}

}  // namespace

void KeepaliveLearner::observe(Duration age, TimePoint now) {
  const int64_t before = last_age_.exchange(age.count(), kRelaxed);
  if (before == 0 || !about_equal(before, age.count())) return;
  const int64_t seen = std::min(before, age.count());
  const auto known = closes_after(now);
  // The lowest of what was seen lately counts: being early costs a connection, being late a
  // request.
  if (known && known->count() < seen && about_equal(known->count(), seen)) {
    learned_at_.store(since_epoch(now), kRelaxed);
    return;
  }
  if (known && known->count() < seen) return;
  learned_.store(seen, kRelaxed);
  learned_at_.store(since_epoch(now), kRelaxed);
}

std::optional<Duration> KeepaliveLearner::closes_after(TimePoint now) const {
  const int64_t learned = learned_.load(kRelaxed);
  if (learned == 0 || since_epoch(now) - learned_at_.load(kRelaxed) > kMemory.count()) {
    return std::nullopt;
  }
  return Duration(learned);
}

bool KeepaliveLearner::burst(Duration age, TimePoint now) {
  if (since_epoch(now) - burst_began_.load(kRelaxed) > kBurstWindow.count()) {
    burst_began_.store(since_epoch(now), kRelaxed);
    burst_age_.store(age.count(), kRelaxed);
    burst_count_.store(1, kRelaxed);
    return false;
  }
  // Connections that were parked together and time out together are no burst.
  if (about_equal(burst_age_.load(kRelaxed), age.count())) return false;
  return burst_count_.fetch_add(1, kRelaxed) + 1 >= kBurstSize;
}

}  // namespace berth::upstream
