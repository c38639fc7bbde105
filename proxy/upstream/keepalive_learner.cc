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

// From which age on an open connection proves that the server does not close after `learned`. (One
// that is busy closes late.)
Duration disproof_of(int64_t learned) {
  return Duration(learned + std::max(learned / 4, Duration(std::chrono::seconds(1)).count()));
}

}  // namespace

void KeepaliveLearner::observe(Duration age, TimePoint now, bool served) {
  if (served) survived(age);
  const std::lock_guard lock(mutex_);
  if (event_.began != TimePoint{} && now - event_.began <= kTogether) {
    if (!about_equal(event_.age, age.count())) forget_event();
    return;
  }
  const int64_t before = event_.age;
  event_ = {.began = now,
            .age = age.count(),
            .learned_before = learned_.load(kRelaxed),
            .learned_at_before = learned_at_.load(kRelaxed)};
  if (before != 0 && about_equal(before, age.count())) learn(std::min(before, age.count()), now);
}

// The lowest of what was seen lately counts: being early costs a connection, being late a request.
void KeepaliveLearner::learn(int64_t age, TimePoint now) {
  event_.taught = true;
  const auto known = closes_after(now);
  if (!known || known->count() > age) {
    learned_.store(age, kRelaxed);
    next_test_.store(since_epoch(now + kTestEvery), kRelaxed);
  } else if (!about_equal(known->count(), age)) {
    return;
  }
  learned_at_.store(since_epoch(now), kRelaxed);
}

// It tells nothing, and has taught nothing.
void KeepaliveLearner::forget_event() {
  event_.age = 0;
  if (!event_.taught) return;
  event_.taught = false;
  learned_.store(event_.learned_before, kRelaxed);
  learned_at_.store(event_.learned_at_before, kRelaxed);
}

void KeepaliveLearner::went_down(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (now - event_.began <= kLastWords) forget_event();
}

std::optional<Duration> KeepaliveLearner::closes_after(TimePoint now) const {
  const int64_t learned = learned_.load(kRelaxed);
  if (learned == 0 || since_epoch(now) - learned_at_.load(kRelaxed) > kMemory.count()) {
    return std::nullopt;
  }
  return Duration(learned);
}

std::optional<Duration> KeepaliveLearner::begin_test(Duration most, TimePoint now) {
  const auto learned = closes_after(now);
  if (!learned || disproof_of(learned->count()) > most) return std::nullopt;
  int64_t due = next_test_.load(kRelaxed);
  if (since_epoch(now) < due ||
      !next_test_.compare_exchange_strong(due, since_epoch(now + kTestEvery), kRelaxed)) {
    return std::nullopt;
  }
  return disproof_of(learned->count());
}

void KeepaliveLearner::survived(Duration age) {
  int64_t learned = learned_.load(kRelaxed);
  if (learned != 0 && age >= disproof_of(learned)) {
    learned_.compare_exchange_strong(learned, 0, kRelaxed);
  }
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
