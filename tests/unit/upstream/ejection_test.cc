#include "proxy/upstream/ejection.h"

#include <gtest/gtest.h>

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;

class EjectorTest : public testing::Test {
 protected:
  Duration eject() {
    ejector_.eject(limits_, now_);
    const Duration out = ejector_.until() - now_;
    now_ = ejector_.until();
    return out;
  }

  config::Ejection limits_{.errors = 3, .time = 10s, .max_time = 35s};
  Ejector ejector_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST_F(EjectorTest, ErrorsInARowCount) {
  EXPECT_FALSE(ejector_.failed(limits_));
  EXPECT_FALSE(ejector_.failed(limits_));
  EXPECT_TRUE(ejector_.failed(limits_));
  EXPECT_TRUE(ejector_.failed(limits_));  // it could not be ejected, and still fails
}

TEST_F(EjectorTest, ASuccessBeginsANewRow) {
  ejector_.failed(limits_);
  ejector_.failed(limits_);
  ejector_.succeeded();
  EXPECT_FALSE(ejector_.failed(limits_));
  EXPECT_FALSE(ejector_.failed(limits_));
  EXPECT_TRUE(ejector_.failed(limits_));
}

TEST_F(EjectorTest, AnEjectionBeginsANewRow) {
  for (int i = 0; i < 3; ++i) ejector_.failed(limits_);
  eject();
  EXPECT_FALSE(ejector_.failed(limits_));
}

TEST_F(EjectorTest, ItIsOverInTime) {
  EXPECT_FALSE(ejector_.ejected(now_));
  ejector_.eject(limits_, now_);
  EXPECT_TRUE(ejector_.ejected(now_));
  EXPECT_TRUE(ejector_.ejected(now_ + 10s - 1ns));
  EXPECT_FALSE(ejector_.ejected(now_ + 10s));
}

TEST_F(EjectorTest, EachOneSoonAfterTheLastIsTwiceAsLongUpToTheMost) {
  EXPECT_EQ(eject(), 10s);
  EXPECT_EQ(eject(), 20s);
  EXPECT_EQ(eject(), 35s);
  EXPECT_EQ(eject(), 35s);
}

TEST_F(EjectorTest, DoublingHasNoEnd) {
  limits_ = {.time = std::chrono::hours(24), .max_time = std::chrono::hours(24)};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(eject(), 24h);
  limits_ = {.time = 100ms, .max_time = std::chrono::hours(24)};
  for (int i = 0; i < 100; ++i) eject();
  EXPECT_EQ(eject(), 24h);
}

TEST_F(EjectorTest, AServerThatWasWellForLongBeginsAnew) {
  eject();
  EXPECT_EQ(eject(), 20s);
  now_ += 35s;
  EXPECT_EQ(eject(), 10s);
}

TEST_F(EjectorTest, APardonEndsItAndIsNoAmnesty) {
  ejector_.eject(limits_, now_);
  now_ += 1s;
  ejector_.pardon(now_);
  EXPECT_FALSE(ejector_.ejected(now_));
  EXPECT_EQ(eject(), 20s);
}

TEST(MayEjectTest, OneAlwaysStays) {
  EXPECT_FALSE(may_eject({.max_percent = 100}, 1, 0, 0));
  EXPECT_TRUE(may_eject({.max_percent = 100}, 2, 0, 1));
  EXPECT_FALSE(may_eject({.max_percent = 100}, 2, 1, 0));
  EXPECT_FALSE(may_eject({.max_percent = 100}, 3, 0, 0));  // the others are down
}

TEST(MayEjectTest, AShareAtMost) {
  EXPECT_TRUE(may_eject({.max_percent = 50}, 10, 4, 5));
  EXPECT_FALSE(may_eject({.max_percent = 50}, 10, 5, 4));
  EXPECT_TRUE(may_eject({.max_percent = 50}, 3, 0, 2));
  EXPECT_FALSE(may_eject({.max_percent = 50}, 3, 1, 1));
}

TEST(MayEjectTest, ASmallShareStillIsOne) {
  EXPECT_TRUE(may_eject({.max_percent = 10}, 2, 0, 1));
  EXPECT_FALSE(may_eject({.max_percent = 10}, 5, 1, 3));
}

TEST(CountsAsErrorTest, Statuses) {
  using enum config::EjectFor;
  for (const uint16_t status : {500, 502, 503, 504, 505}) {
    EXPECT_FALSE(counts_as_error(Failures, status));
    EXPECT_EQ(counts_as_error(GatewayErrors, status), status >= 502 && status <= 504) << status;
    EXPECT_TRUE(counts_as_error(ServerErrors, status));
  }
  for (const uint16_t status : {101, 200, 404, 499}) {
    EXPECT_FALSE(counts_as_error(GatewayErrors, status));
    EXPECT_FALSE(counts_as_error(ServerErrors, status));
  }
}

}  // namespace
}  // namespace berth::upstream
