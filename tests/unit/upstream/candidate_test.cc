#include "proxy/upstream/candidate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

#include "proxy/base/hash.h"

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kOne = 1024;

// Some servers under one rotation, and how often each was chosen.
class Servers {
 public:
  explicit Servers(const std::vector<uint32_t>& weights, uint64_t seed = 1) : random_(seed) {
    for (const uint32_t weight : weights) add(weight);
  }

  Candidate& add(uint32_t weight) {
    Candidate& candidate = all_.emplace_back();
    candidate.tag = hash64("10.0.0." + std::to_string(all_.size()) + ":80");
    candidate.weight = weight * kOne;
    rotation.join(candidate);
    pointers_.push_back(&candidate);
    counts.resize(all_.size());
    return candidate;
  }
  std::span<Candidate* const> span() const { return pointers_; }
  Candidate& operator[](size_t i) { return all_[i]; }
  size_t index(const Candidate& candidate) const {
    for (size_t i = 0; i < all_.size(); ++i) {
      if (&all_[i] == &candidate) return i;
    }
    return all_.size();
  }
  size_t took(Candidate& candidate) {
    rotation.took(candidate);
    ++counts[index(candidate)];
    return index(candidate);
  }
  size_t turn() { return took(rotation.next(span())); }
  size_t least() { return took(least_loaded(span(), rotation)); }
  size_t of_two() { return took(better_of_two(span(), random_)); }

 private:
  Random random_;
  std::deque<Candidate> all_;
  std::vector<Candidate*> pointers_;

 public:
  Rotation rotation{random_};
  std::vector<int> counts;
};

TEST(Rotation, TakesEachInTurn) {
  Servers servers({1, 1, 1});
  std::vector<size_t> first;
  for (int i = 0; i < 3; ++i) first.push_back(servers.turn());
  EXPECT_EQ(servers.counts, (std::vector<int>{1, 1, 1}));
  for (int i = 0; i < 30; ++i) EXPECT_EQ(servers.turn(), first[static_cast<size_t>(i) % 3]);
}

TEST(Rotation, GivesTurnsByWeightAndSpreadsThem) {
  Servers servers({5, 1, 2});
  size_t longest = 0;
  size_t run = 0;
  for (int i = 0; i < 8000; ++i) {
    run = servers.turn() == 0 ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  EXPECT_NEAR(servers.counts[0], 5000, 2);
  EXPECT_NEAR(servers.counts[1], 1000, 2);
  EXPECT_NEAR(servers.counts[2], 2000, 2);
  EXPECT_LE(longest, 4U);
}

// Eight workers with one request each: not all of them meet the same server.
TEST(Rotation, WorkersBeginInDifferentPlaces) {
  std::vector<int> first(4);
  for (uint64_t worker = 0; worker < 400; ++worker) {
    ++first[Servers({1, 1, 1, 1}, worker).turn()];
  }
  for (const int count : first) EXPECT_NEAR(count, 100, 40);
}

TEST(Rotation, WhoMissedTurnsDoesNotGetThemAllAtOnce) {
  Servers servers({1, 1});
  Candidate* const only_first[] = {&servers[0]};
  for (int i = 0; i < 1000; ++i) servers.took(servers.rotation.next(only_first));
  int in_a_row = 0;
  while (servers.turn() == 1) ++in_a_row;
  EXPECT_LE(in_a_row, 2);
}

TEST(Rotation, ANewServerComesWithinARound) {
  Servers servers({1, 1, 1});
  for (int i = 0; i < 1000; ++i) servers.turn();
  servers.add(1);
  for (int i = 0; i < 400; ++i) servers.turn();
  EXPECT_NEAR(servers.counts[3], 100, 1);
}

TEST(LeastLoaded, TakesTheOneWithTheFewestRequests) {
  Servers servers({1, 1, 1});
  servers[0].load = 3;
  servers[1].load = 1;
  servers[2].load = 2;
  EXPECT_EQ(servers.least(), 1U);
  servers[1].load = 3;
  EXPECT_EQ(servers.least(), 2U);
}

TEST(LeastLoaded, TakesTurnsAmongEquals) {
  Servers servers({1, 1, 1});
  for (int i = 0; i < 300; ++i) servers.least();
  EXPECT_EQ(servers.counts, (std::vector<int>{100, 100, 100}));
}

// With nothing in flight all are equally free, and weights are shares all the same.
TEST(LeastLoaded, WeightsAreSharesOfSingleRequests) {
  Servers servers({1, 99});
  for (int i = 0; i < 10000; ++i) servers.least();
  EXPECT_NEAR(servers.counts[0], 100, 2);
}

TEST(LeastLoaded, WeightsAreSharesOfWhatIsInFlight) {
  Servers servers({1, 3});
  for (int i = 0; i < 400; ++i) ++servers[servers.least()].load;
  EXPECT_NEAR(servers.counts[0], 100, 2);
  EXPECT_NEAR(servers.counts[1], 300, 2);
}

// A light server does not get every request that comes while a heavy one is at work.
TEST(LeastLoaded, ALightServerStaysLight) {
  Servers servers({1, 99});
  servers[1].load = 2;
  for (int i = 0; i < 1000; ++i) servers.least();
  EXPECT_LE(servers.counts[0], 12);
}

TEST(LeastLoaded, WhoIsStuckIsLeftAlone) {
  Servers servers({1, 4});
  servers[1].load = 50;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(servers.least(), 0U);
    ++servers[0].load;
  }
}

TEST(BetterOfTwo, PrefersTheLessLoaded) {
  Servers servers({1, 1, 1, 1});
  servers[2].load = 9;
  for (int i = 0; i < 1000; ++i) servers.of_two();
  EXPECT_EQ(servers.counts[2], 0);  // there is always a second one
}

TEST(BetterOfTwo, DrawsByWeight) {
  Servers servers({1, 3});
  for (int i = 0; i < 4000; ++i) servers.of_two();
  EXPECT_NEAR(servers.counts[0], 1000, 120);
  Servers two({1, 1});
  two[0].load = 1;
  for (int i = 0; i < 100; ++i) two.of_two();
  EXPECT_EQ(two.counts[0], 0);  // never the same one twice
}

TEST(BetterOfTwo, LoadCountsByWeight) {
  Servers servers({1, 4});
  servers[0].load = 1;
  servers[1].load = 3;  // three of four is less than one of one
  for (int i = 0; i < 100; ++i) EXPECT_EQ(servers.of_two(), 1U);
}

std::vector<size_t> owners(const Servers& servers, int keys) {
  std::vector<size_t> out;
  for (int key = 0; key < keys; ++key) {
    out.push_back(servers.index(owner_of(hash64("key" + std::to_string(key)), servers.span())));
  }
  return out;
}

TEST(OwnerOf, IsByWeight) {
  Servers servers({1, 2, 1, 4});
  for (const size_t owner : owners(servers, 8000)) ++servers.counts[owner];
  const int expected[] = {1000, 2000, 1000, 4000};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(servers.counts[i], expected[i], 150) << i;
}

TEST(OwnerOf, WhoComesTakesItsOwnShareOnly) {
  Servers servers({1, 1, 1});
  const std::vector<size_t> before = owners(servers, 4000);
  servers.add(1);
  const std::vector<size_t> after = owners(servers, 4000);
  std::vector<int> lost(3);
  for (size_t key = 0; key < before.size(); ++key) {
    if (before[key] == after[key]) continue;
    EXPECT_EQ(after[key], 3U);
    ++lost[before[key]];
  }
  for (const int count : lost) EXPECT_NEAR(count, 333, 80);
}

TEST(OwnerOf, AHeavierServerTakesFromOthersAndLosesNothing) {
  Servers servers({1, 1, 1});
  const std::vector<size_t> before = owners(servers, 4000);
  servers[1].weight *= 2;
  const std::vector<size_t> after = owners(servers, 4000);
  for (size_t key = 0; key < before.size(); ++key) {
    EXPECT_TRUE(before[key] == after[key] || after[key] == 1) << key;
  }
}

// Several proxies, and one that was started again, agree: these are what the keys have always had.
TEST(OwnerOf, IsTheSameEverywhere) {
  const Servers servers({1, 1, 1, 1});
  EXPECT_EQ(owners(servers, 12), (std::vector<size_t>{2, 3, 0, 3, 0, 3, 2, 1, 2, 1, 3, 1}));
}

TEST(EffectiveWeight, GrowsFromATenthToTheWhole) {
  EXPECT_EQ(effective_weight(3, 0s, std::nullopt), 3 * kOne);
  EXPECT_EQ(effective_weight(1, 0s, 30s), kOne / 10);
  EXPECT_EQ(effective_weight(1, 15s, 30s), kOne / 2);
  EXPECT_EQ(effective_weight(4, 15s, 30s), 2 * kOne);
  EXPECT_EQ(effective_weight(1, 30s, 30s), kOne);
  EXPECT_EQ(effective_weight(1, 1h, 30s), kOne);
}

TEST(Hash, IsTheSameEverywhere) {
  EXPECT_EQ(hash64(""), 17280346270528514342U);
  EXPECT_EQ(hash64("10.0.0.1:80"), 6834485282503893322U);
  EXPECT_NE(hash64("ab"), hash64("ba"));
}

}  // namespace
}  // namespace berth::upstream
