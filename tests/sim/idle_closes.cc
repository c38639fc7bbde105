#include "tests/sim/idle_closes.h"

#include <algorithm>

#include "proxy/upstream/keepalive_learner.h"

namespace berth::sim {

bool IdleCloses::agree(const Close& first, const Close& second) const {
  if (second.at - first.at + slack_ <= upstream::KeepaliveLearner::kTogether) return false;
  const Duration larger = std::max(first.age, second.age);
  return larger - std::min(first.age, second.age) <= larger / 4 + slack_;
}

// Afterwards, and before `since`, a connection that had become idle when both were known lay open
// for so long that the server cannot have such a timeout.
bool IdleCloses::disproved(const Close& first, const Close& second, TimePoint since) const {
  const Duration age = std::min(first.age, second.age);
  const Duration proof = age + std::max<Duration>(age / 4, std::chrono::seconds(1)) + 2 * travel_;
  return std::any_of(outlived_.begin(), outlived_.end(), [&](const Outlived& o) {
    return o.since > second.at + slack_ && o.at + slack_ < since && o.age >= proof;
  });
}

std::optional<Duration> IdleCloses::may_be_believed(TimePoint since) const {
  std::optional<Duration> shortest;
  for (size_t second = 1; second < closes_.size(); ++second) {
    for (size_t first = 0; first < second; ++first) {
      const Close& a = closes_[first];
      const Close& b = closes_[second];
      if (!agree(a, b) || disproved(a, b, since)) continue;
      const Duration age = std::min(a.age, b.age);
      shortest = std::min(shortest.value_or(age), age);
    }
  }
  return shortest;
}

}  // namespace berth::sim
