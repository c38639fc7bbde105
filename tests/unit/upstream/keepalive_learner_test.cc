#include "proxy/upstream/keepalive_learner.h"

#include <gtest/gtest.h>

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;

class KeepaliveLearnerTest : public testing::Test {
 protected:
  KeepaliveLearner learner_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(KeepaliveLearnerTest, OneCloseProvesNothing) {
  learner_.observe(2s, now_);
  EXPECT_FALSE(learner_.closes_after(now_));
}

TEST_F(KeepaliveLearnerTest, TwoClosesAtAboutTheSameAgeAreATimeout) {
  learner_.observe(2100ms, now_);
  learner_.observe(2s, now_);
  EXPECT_EQ(learner_.closes_after(now_), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, ClosesOfDifferentAgesAreARestart) {
  for (const Duration age : {Duration(100ms), Duration(3s), Duration(700ms), Duration(2s)}) {
    learner_.observe(age, now_);
  }
  EXPECT_FALSE(learner_.closes_after(now_));
}

TEST_F(KeepaliveLearnerTest, TheLowestCounts) {
  learner_.observe(8s, now_);
  learner_.observe(8s, now_);
  learner_.observe(2s, now_);
  learner_.observe(2s, now_);
  EXPECT_EQ(learner_.closes_after(now_), Duration(2s));
  learner_.observe(8s, now_);
  learner_.observe(8s, now_);
  EXPECT_EQ(learner_.closes_after(now_), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, ForgetsWhatIsNotSeenAgain) {
  learner_.observe(2s, now_);
  learner_.observe(2s, now_);
  const TimePoint later = now_ + KeepaliveLearner::kMemory;
  EXPECT_TRUE(learner_.closes_after(later));
  EXPECT_FALSE(learner_.closes_after(later + 1ns));
}

TEST_F(KeepaliveLearnerTest, RemembersWhatIsSeenAgain) {
  learner_.observe(2s, now_);
  learner_.observe(2s, now_);
  learner_.observe(2200ms, now_ + 9min);
  EXPECT_EQ(learner_.closes_after(now_ + 18min), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, ThreeClosesOfDifferentAgesAtOnceAreABurst) {
  EXPECT_FALSE(learner_.burst(1s, now_));
  EXPECT_FALSE(learner_.burst(2s, now_ + 10ms));
  EXPECT_TRUE(learner_.burst(3s, now_ + 20ms));
}

TEST_F(KeepaliveLearnerTest, ConnectionsThatTimeOutTogetherAreNoBurst) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(learner_.burst(5s + i * 1ms, now_));
}

TEST_F(KeepaliveLearnerTest, ClosesFarApartAreNoBurst) {
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(learner_.burst((i + 1) * 1s, now_ + i * 101ms));
}

}  // namespace
}  // namespace berth::upstream
