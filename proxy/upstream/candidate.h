// The arithmetic of choosing among servers that may all serve: weights, turns, load, hash. Knows no
// pools: what it needs of a server is in its Candidate.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "proxy/base/random.h"
#include "proxy/base/time.h"

namespace berth::upstream {

// A server as the balancer of one upstream and worker sees it.
struct Candidate {
  uint64_t tag = 0;     // the same server's in every worker and every Berth
  uint32_t weight = 0;  // effective, in 1024ths: it grows during slow start
  uint32_t load = 0;    // requests in flight
  // Its next turn, in the rotation's own time; it has `weight` turns where others have theirs.
  double turn = 0;
  double phase = 0;  // in [0, 1): its place within a round, drawn at random
};

// `slow_start`: within which a server that came `age` ago gets its full weight; it begins at a
// tenth.
uint32_t effective_weight(uint32_t weight, Duration age, std::optional<Duration> slow_start);

// Weighted turns, as even as can be: a server's turns are 1/weight apart. Every worker's rotation
// begins at a random place, so that few requests of many workers do not all meet the first server.
class Rotation {
 public:
  explicit Rotation(Random& random) : random_(random) {}

  // A new server: its first turn comes within a round.
  void join(Candidate& candidate);
  // The one whose turn it is.
  Candidate& next(std::span<Candidate* const> candidates) const;
  // It got a request, by its turn or otherwise.
  void took(Candidate& candidate);
  // When its turn comes. Who could not take its turns for a while does not get them all at once
  // afterwards: at most one is kept.
  double turn_of(const Candidate& candidate) const;

 private:
  Random& random_;
  double now_ = 0;
};

// The one that is the least above its share of the requests in flight, in whole requests; the
// rotation decides among equals. With equal weights that is the one with the fewest requests; with
// little to do, weights are shares of the requests.
Candidate& least_loaded(std::span<Candidate* const> candidates, const Rotation& rotation);

// The less loaded of two that are drawn by weight.
Candidate& better_of_two(std::span<Candidate* const> candidates, Random& random);

// Rendezvous hashing: of all servers the one that scores highest with the key. Who comes takes only
// its own share of the keys, from all others evenly; who goes leaves only its own.
Candidate& owner_of(uint64_t key, std::span<Candidate* const> candidates);

}  // namespace berth::upstream
