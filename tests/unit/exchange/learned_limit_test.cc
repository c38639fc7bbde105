// What the proxy learns from a server that announces no keep-alive timeout.
#include "proxy/upstream/keepalive_limit.h"
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

using upstream::KeepaliveLearner;

class LearnedLimitTest : public ProxyInMemory {
 protected:
  // A connection that has served, and that the server closes when it has been idle for `age`.
  void closes_after(Duration age) {
    warm_up();
    pass(age);
    hang_up(connections() - 1);
    pass(KeepaliveLearner::kTogether + 1ms);
  }
  std::optional<Duration> learned() { return servers[0]->learner.closes_after(now()); }
  ServerSide& last() { return server(connections() - 1); }
};

TEST_F(LearnedLimitTest, AConnectionIsGivenUpBeforeTheServerClosesIt) {
  apply();
  closes_after(600ms);
  closes_after(600ms);
  EXPECT_EQ(learned(), Duration(600ms));
  warm_up();
  pass(299ms);
  EXPECT_FALSE(last().proxy_fin);
  pass(1ms);
  EXPECT_TRUE(last().proxy_fin);
  EXPECT_EQ(closed(CloseReason::LearnedLimit), 1U);
}

TEST_F(LearnedLimitTest, WhenTheServerGoesDownNothingIsLearned) {
  apply();
  closes_after(600ms);
  warm_up();
  pass(600ms);
  hang_up(connections() - 1);
  EXPECT_TRUE(learned());
  Call& call = get();
  refuse(connections() - 1);
  EXPECT_FALSE(learned());
  drop(call);
}

// One that is over its limit stays open, and nobody is given it.
TEST_F(LearnedLimitTest, WhatWasLearnedWronglyIsUnlearned) {
  apply();
  closes_after(167ms);
  closes_after(167ms);
  ASSERT_TRUE(learned());
  pass(KeepaliveLearner::kTestEvery);
  warm_up();
  const size_t tester = connections() - 1;
  pass(1166ms);
  EXPECT_FALSE(server(tester).proxy_fin);
  EXPECT_TRUE(learned());
  pass(1ms);
  EXPECT_TRUE(server(tester).proxy_fin);
  EXPECT_FALSE(learned());
  warm_up();
  pass(upstream::kDefaultIdleLimit - 1ms);
  EXPECT_FALSE(last().proxy_fin);
}

TEST_F(LearnedLimitTest, TheOneThatTestsItIsNotUsed) {
  apply();
  closes_after(600ms);
  closes_after(600ms);
  pass(KeepaliveLearner::kTestEvery);
  warm_up();
  const size_t tester = connections() - 1;
  pass(400ms);
  EXPECT_FALSE(server(tester).proxy_fin);
  Call& call = get();
  EXPECT_EQ(heard(tester), "");
  EXPECT_TRUE(server(tester).proxy_fin);
  EXPECT_EQ(connections(), tester + 2);
  drop(call);
}

TEST_F(LearnedLimitTest, ATestConfirmsWhatIsRight) {
  apply();
  closes_after(600ms);
  closes_after(600ms);
  pass(KeepaliveLearner::kTestEvery);
  closes_after(600ms);
  EXPECT_EQ(closed(CloseReason::ServerClosedIdle), 3U);
  EXPECT_EQ(servers[0]->learner.closes_after(now() + 9min + 59s), Duration(600ms));
}

TEST_F(LearnedLimitTest, KeepaliveTimeoutIsNotExceededForATest) {
  pool().keepalive_timeout = 1500ms;
  apply();
  closes_after(600ms);
  closes_after(600ms);
  pass(KeepaliveLearner::kTestEvery);
  warm_up();
  pass(300ms);
  EXPECT_TRUE(last().proxy_fin);
}

// A server's timeout for connections that have carried no request is another one.
TEST_F(LearnedLimitTest, AConnectionThatIsOnlyKeptWarmProvesNothing) {
  apply();
  closes_after(600ms);
  closes_after(600ms);
  pass(KeepaliveLearner::kTestEvery);
  const size_t before = connections();
  pool().min_idle = 1;
  apply();
  end_turn();
  ASSERT_EQ(connections(), before + 1);
  const size_t warm = before;
  accept(warm);
  pass(300ms);
  EXPECT_TRUE(server(warm).proxy_fin);
  pass(10s);
  EXPECT_TRUE(learned());
}

}  // namespace
}  // namespace berth::exchange
