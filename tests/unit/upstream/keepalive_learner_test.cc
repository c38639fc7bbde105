#include "proxy/upstream/keepalive_learner.h"

#include <gtest/gtest.h>

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;

class KeepaliveLearnerTest : public testing::Test {
 protected:
  // The server closes one connection, long after the one before.
  void close_after(Duration age) {
    now_ += 1min;
    learner_.observe(age, now_);
  }
  std::optional<Duration> learned() const { return learner_.closes_after(now_); }

  KeepaliveLearner learner_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(KeepaliveLearnerTest, OneCloseProvesNothing) {
  close_after(2s);
  EXPECT_FALSE(learned());
}

TEST_F(KeepaliveLearnerTest, TwoClosesAtAboutTheSameAgeAreATimeout) {
  close_after(2100ms);
  close_after(2s);
  EXPECT_EQ(learned(), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, TwoClosesAtDifferentAgesAreNone) {
  close_after(1s);
  close_after(2s);
  close_after(1s);
  EXPECT_FALSE(learned());
}

TEST_F(KeepaliveLearnerTest, ClosesThatComeTogetherAreOne) {
  now_ += 1min;
  for (int i = 0; i < 22; ++i) learner_.observe(167ms, now_ + i * 10ms);
  EXPECT_FALSE(learner_.closes_after(now_ + 1s));
  now_ += 1s;
  close_after(170ms);
  EXPECT_EQ(learned(), Duration(167ms));
}

TEST_F(KeepaliveLearnerTest, ClosesOfDifferentAgesAreARestart) {
  now_ += 1min;
  for (const Duration age : {Duration(100ms), Duration(101ms), Duration(700ms), Duration(710ms)}) {
    learner_.observe(age, now_);
    now_ += 1ms;
  }
  EXPECT_FALSE(learned());
  close_after(710ms);
  EXPECT_FALSE(learned());
}

// The first of many looks like the second of two.
TEST_F(KeepaliveLearnerTest, WhatARestartHasTaughtIsTakenBackAsSoonAsItShows) {
  close_after(2s);
  close_after(2s);
  close_after(1s);
  close_after(1s);
  EXPECT_EQ(learned(), Duration(1s));
  learner_.observe(300ms, now_ + 200ms);
  EXPECT_EQ(learned(), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, WhatCameJustBeforeItWentAwayTeachesNothing) {
  close_after(167ms);
  close_after(167ms);
  EXPECT_TRUE(learned());
  learner_.went_down(now_ + KeepaliveLearner::kLastWords);
  EXPECT_FALSE(learned());
  close_after(167ms);
  EXPECT_FALSE(learned());
}

TEST_F(KeepaliveLearnerTest, WhatCameLongBeforeItWentAwayStays) {
  close_after(2s);
  close_after(2s);
  learner_.went_down(now_ + KeepaliveLearner::kLastWords + 1ns);
  EXPECT_EQ(learned(), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, TheLowerOneCounts) {
  close_after(2s);
  close_after(2s);
  close_after(2800ms);
  close_after(2800ms);
  EXPECT_EQ(learned(), Duration(2s));
  close_after(1s);
  close_after(1s);
  EXPECT_EQ(learned(), Duration(1s));
}

TEST_F(KeepaliveLearnerTest, ForgetsAfterAWhile) {
  close_after(2s);
  close_after(2s);
  const TimePoint later = now_ + KeepaliveLearner::kMemory;
  EXPECT_TRUE(learner_.closes_after(later));
  EXPECT_FALSE(learner_.closes_after(later + 1ns));
}

TEST_F(KeepaliveLearnerTest, RemembersForLongerWhatItSeesAgain) {
  close_after(2s);
  close_after(2s);
  now_ += 8min;
  close_after(2200ms);
  now_ += 9min;
  EXPECT_EQ(learned(), Duration(2s));
}

TEST_F(KeepaliveLearnerTest, AConnectionThatStaysOpenForLongerProvesItWrong) {
  close_after(167ms);
  close_after(167ms);
  learner_.survived(1166ms);
  EXPECT_TRUE(learned()) << "a busy server closes late";
  learner_.survived(1167ms);
  EXPECT_FALSE(learned());
}

TEST_F(KeepaliveLearnerTest, AServerWhoseTimeoutWasRaisedIsBelievedAtOnce) {
  close_after(2s);
  close_after(2s);
  close_after(8s);
  EXPECT_FALSE(learned());
  close_after(8s);
  EXPECT_EQ(learned(), Duration(8s));
}

TEST_F(KeepaliveLearnerTest, OneConnectionAtATimeTestsIt) {
  EXPECT_FALSE(learner_.begin_test(4s, now_));
  close_after(600ms);
  close_after(600ms);
  EXPECT_FALSE(learner_.begin_test(4s, now_)) << "it has just been seen";
  now_ += KeepaliveLearner::kTestEvery;
  EXPECT_FALSE(learner_.begin_test(1599ms, now_)) << "it may not lie idle for so long";
  EXPECT_EQ(learner_.begin_test(4s, now_), Duration(1600ms));
  EXPECT_FALSE(learner_.begin_test(4s, now_));
  now_ += KeepaliveLearner::kTestEvery - 1ns;
  EXPECT_FALSE(learner_.begin_test(4s, now_));
  EXPECT_TRUE(learner_.begin_test(4s, now_ + 1ns));
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
