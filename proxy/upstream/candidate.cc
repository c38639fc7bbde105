#include "proxy/upstream/candidate.h"

#include <algorithm>
#include <cmath>

#include "proxy/base/hash.h"

namespace berth::upstream {

namespace {

constexpr uint32_t kWhole = 1024;
constexpr uint32_t kFirstShare = kWhole / 10;

double gap(const Candidate& candidate) {
  return static_cast<double>(kWhole) / candidate.weight;
}

// How far it is above its share once one more request is there, in whole requests.
int64_t surplus(const Candidate& candidate, int64_t requests, int64_t weights) {
  const int64_t above = candidate.load * weights - requests * candidate.weight;
  return above > 0 ? (above + weights - 1) / weights : -(-above / weights);
}

Candidate& draw(std::span<Candidate* const> candidates, const Candidate* but, Random& random) {
  uint64_t weights = 0;
  for (const Candidate* candidate : candidates) {
    if (candidate != but) weights += candidate->weight;
  }
  uint64_t at = random.below(weights);
  for (Candidate* candidate : candidates) {
    if (candidate == but) continue;
    if (at < candidate->weight) return *candidate;
    at -= candidate->weight;
  }
  return *candidates.front();
}

}  // namespace

uint32_t effective_weight(uint32_t weight, Duration age, std::optional<Duration> slow_start) {
  uint32_t share = kWhole;
  if (slow_start && age < *slow_start) {
    const double part = static_cast<double>(age.count()) / static_cast<double>(slow_start->count());
    share = std::max(kFirstShare, static_cast<uint32_t>(part * kWhole));
  }
  return weight * share;
}

void Rotation::join(Candidate& candidate) {
  candidate.phase = static_cast<double>(random_.below(1U << 20)) / (1U << 20);
  candidate.turn = now_ + candidate.phase * gap(candidate);
}

double Rotation::turn_of(const Candidate& candidate) const {
  return std::max(candidate.turn, now_ - candidate.phase * gap(candidate));
}

Candidate& Rotation::next(std::span<Candidate* const> candidates) const {
  return **std::min_element(
      candidates.begin(), candidates.end(),
      [&](const Candidate* a, const Candidate* b) { return turn_of(*a) < turn_of(*b); });
}

void Rotation::took(Candidate& candidate) {
  const double turn = turn_of(candidate);
  now_ = std::max(now_, turn);
  candidate.turn = turn + gap(candidate);
}

Candidate& least_loaded(std::span<Candidate* const> candidates, const Rotation& rotation) {
  int64_t requests = 1;
  int64_t weights = 0;
  for (const Candidate* candidate : candidates) {
    requests += candidate->load;
    weights += candidate->weight;
  }
  Candidate* best = nullptr;
  int64_t least = 0;
  for (Candidate* candidate : candidates) {
    const int64_t above = surplus(*candidate, requests, weights);
    const bool equal = best != nullptr && above == least;
    if (best == nullptr || above < least ||
        (equal && rotation.turn_of(*candidate) < rotation.turn_of(*best))) {
      best = candidate;
      least = above;
    }
  }
  return *best;
}

Candidate& better_of_two(std::span<Candidate* const> candidates, Random& random) {
  if (candidates.size() == 1) return *candidates.front();
  Candidate& one = draw(candidates, nullptr, random);
  Candidate& two = draw(candidates, &one, random);
  return uint64_t{two.load} * one.weight < uint64_t{one.load} * two.weight ? two : one;
}

Candidate& owner_of(uint64_t key, std::span<Candidate* const> candidates) {
  Candidate* owner = nullptr;
  double best = 0;
  for (Candidate* candidate : candidates) {
    // Uniform in (0, 1); the weighted score is -weight / ln(u) (Mosharaf and others, 2014).
    const double u = (static_cast<double>(mix64(key ^ candidate->tag) >> 11) + 0.5) * 0x1p-53;
    const double score = candidate->weight / -std::log(u);
    if (owner == nullptr || score > best) {
      owner = candidate;
      best = score;
    }
  }
  return *owner;
}

}  // namespace berth::upstream
