#include "proxy/base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <set>

namespace berth {
namespace {

// The reference implementations: splitmix64 and xoshiro256**, as their authors published them.
struct Reference {
  std::array<uint64_t, 4> s;

  static uint64_t splitmix(uint64_t& x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = x;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
  }
  static uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  explicit Reference(std::array<uint64_t, 4> state) : s(state) {}
  explicit Reference(uint64_t seed) : s{} {
    for (uint64_t& word : s) word = splitmix(seed);
  }
  uint64_t next() {
    const uint64_t result = rotl(s[1] * 5, 7) * 9;
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
  }
};

TEST(Random, IsSplitmixAndXoshiro) {
  // Published first values of both generators.
  uint64_t zero = 0;
  ASSERT_EQ(Reference::splitmix(zero), UINT64_C(0xe220a8397b1dcdaf));
  Reference known(std::array<uint64_t, 4>{1, 2, 3, 4});
  ASSERT_EQ(known.next(), 11520u);
  ASSERT_EQ(known.next(), 0u);
  ASSERT_EQ(known.next(), 1509978240u);
  ASSERT_EQ(known.next(), UINT64_C(1215971899390074240));
  for (const uint64_t seed : {UINT64_C(0), UINT64_C(1), UINT64_C(42), UINT64_MAX}) {
    Random random(seed);
    Reference reference(seed);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(random.next(), reference.next()) << seed << " " << i;
  }
}

TEST(Random, TheSameSeedGivesTheSameNumbers) {
  Random one(7);
  Random same(7);
  Random other(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = one.next();
    EXPECT_EQ(value, same.next());
    differs = differs || value != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, BelowStaysBelow) {
  Random random(3);
  for (const uint64_t bound : {UINT64_C(1), UINT64_C(2), UINT64_C(3), UINT64_C(103),
                               UINT64_C(1) << 40, std::numeric_limits<uint64_t>::max()}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below(bound), bound);
  }
}

TEST(Random, BelowZeroAndBelowOneAreZero) {
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(random.below(0), 0u);
    EXPECT_EQ(random.below(1), 0u);
  }
}

TEST(Random, BelowReachesEveryValueAboutEquallyOften) {
  constexpr uint64_t kBound = 10;
  constexpr uint32_t kEach = 10'000;
  std::array<uint32_t, kBound> seen{};
  Random random(99);
  for (uint32_t i = 0; i < kBound * kEach; ++i) ++seen[random.below(kBound)];
  for (const uint32_t count : seen) {
    EXPECT_GT(count, kEach * 95 / 100);
    EXPECT_LT(count, kEach * 105 / 100);
  }
}

TEST(Random, DoesNotRepeatSoon) {
  Random random(5);
  std::set<uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(seen.insert(random.next()).second);
}

}  // namespace
}  // namespace berth
