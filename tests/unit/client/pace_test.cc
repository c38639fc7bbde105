#include "proxy/client/pace.h"

#include <gtest/gtest.h>

namespace berth::client {
namespace {

using namespace std::chrono_literals;

struct PaceTest : testing::Test {
  PaceTest() { pace.start(now, terms.patience); }
  // How long it may still take for its next byte.
  Duration left() const { return pace.deadline() - now; }
  void move(uint64_t bytes) { pace.moved(now, bytes, terms); }

  TimePoint now = TimePoint(1000s);
  Pace::Terms terms{.patience = 30s, .rate = 100};
  Pace pace;
};

TEST_F(PaceTest, AFreshTransferHasAllPatience) {
  EXPECT_EQ(left(), 30s);
  EXPECT_FALSE(pace.behind());
}

TEST_F(PaceTest, WithoutARateEveryByteBringsAllPatienceBack) {
  terms.rate = 0;
  now += 29s;
  move(1);
  EXPECT_EQ(left(), 30s);
  EXPECT_FALSE(pace.behind());
}

TEST_F(PaceTest, AByteEarnsItsShareOfASecond) {
  now += 20s;
  move(500);
  EXPECT_EQ(left(), 15s);
  EXPECT_TRUE(pace.behind());
}

TEST_F(PaceTest, WhoIsAtTheRateNeverFallsBehind) {
  for (int i = 0; i < 10'000; ++i) {
    now += 1s;
    move(100);
    ASSERT_EQ(left(), 30s);
    ASSERT_FALSE(pace.behind());
  }
}

TEST_F(PaceTest, WhoIsBelowTheRateUsesUpThePatience) {
  int seconds = 0;
  for (; left() > 0s; ++seconds) {
    now += 1s;
    move(50);
  }
  EXPECT_EQ(seconds, 60);  // half of each second is earned
  EXPECT_TRUE(pace.behind());
}

TEST_F(PaceTest, ALotAtOnceEarnsNoMoreThanAllPatience) {
  move(UINT64_MAX);
  EXPECT_EQ(left(), 30s);
  now += 30s;
  EXPECT_EQ(left(), 0s);
  EXPECT_FALSE(pace.behind());  // silent, not slow
}

TEST_F(PaceTest, ABurstMakesUpForAPause) {
  now += 29s;
  move(2900);
  EXPECT_EQ(left(), 30s);
  EXPECT_FALSE(pace.behind());
}

TEST_F(PaceTest, NothingMovedIsNoProgress) {
  now += 10s;
  move(0);
  EXPECT_EQ(left(), 20s);
}

TEST_F(PaceTest, APauseIsNotThePeersTimeAndForgivesNothing) {
  now += 20s;
  move(500);
  pace.pause(now);
  now += 1h;
  pace.resume(now, terms.patience);
  EXPECT_EQ(left(), 15s);
  EXPECT_TRUE(pace.behind());
}

TEST_F(PaceTest, WhoHadKeptUpBeforeAPauseHasAllPatience) {
  now += 20s;
  move(5000);
  pace.pause(now);
  pace.resume(now, terms.patience);
  EXPECT_EQ(left(), 30s);
  EXPECT_FALSE(pace.behind());
}

TEST_F(PaceTest, WhoIsBelowTheRateUsesUpThePatienceWhateverPausesThereAre) {
  int seconds = 0;
  for (; left() > 0s; ++seconds) {
    now += 1s;
    move(50);
    pace.pause(now);
    now += 5s;
    pace.resume(now, terms.patience);
  }
  EXPECT_EQ(seconds, 60);
}

TEST_F(PaceTest, ANewStartForgivesWhatWas) {
  now += 20s;
  move(1);
  pace.start(now, terms.patience);
  EXPECT_EQ(left(), 30s);
  EXPECT_FALSE(pace.behind());
}

}  // namespace
}  // namespace berth::client
