// Servers that are away for a moment, and the requests that wait for them.
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
constexpr Duration kFirst = upstream::Backoff::kFirst;

// A server that has served, and has stopped since.
class WaitingTest : public ProxyInMemory {
 protected:
  void stop_server() {
    apply();
    warm_up();
    hang_up(connections() - 1);
  }
  // The connection that was made last is refused.
  void refuse_last(CloseReason reason = CloseReason::ConnectRefused) {
    refuse(connections() - 1, reason);
  }
  Call& post(const std::string& path = "/") {
    return begin("POST " + path + " HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n", "hi");
  }
  // The path of the request that a connection has got.
  std::string asked(size_t which) {
    const std::string head = heard(which);
    const size_t from = head.find(' ');
    return from == std::string::npos ? ""
                                     : head.substr(from + 1, head.find(' ', from + 1) - from - 1);
  }
  // Its second connection is refused; the third, a trial, finds the server back.
  void expect_wait_until_back(Call& call) {
    refuse(1);
    EXPECT_FALSE(call.client.done());
    pass(kFirst);
    accept(2);
    say(2, kOk);
    EXPECT_EQ(call.client.status, 200);
  }
  bool away(size_t which = 0) { return servers[which]->backoff.away(); }
};

TEST_F(WaitingTest, ARequestThatIsRefusedWaitsUntilTheServerIsBack) {
  stop_server();
  Call& call = get();
  ASSERT_EQ(connections(), 2U);
  refuse(1);
  EXPECT_FALSE(call.client.done());
  EXPECT_TRUE(away());
  pass(kFirst - 1ms);
  EXPECT_EQ(connections(), 2U);
  pass(1ms);
  ASSERT_EQ(connections(), 3U);
  refuse(2);
  pass(2 * kFirst - 1ms);
  EXPECT_EQ(connections(), 3U);
  pass(1ms);
  ASSERT_EQ(connections(), 4U);
  accept(3);
  EXPECT_FALSE(away());
  say(3, kOk);
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(connections(), 4U);
  EXPECT_EQ(retries(stats::RetryCause::ConnectFailed), 1U);
  EXPECT_EQ(sum().retry_budget_exhausted.value(), 0U);
}

TEST_F(WaitingTest, APostWaitsTooWithItsBody) {
  stop_server();
  Call& call = post();
  refuse_last();
  pass(kFirst);
  accept(connections() - 1);
  EXPECT_TRUE(heard(connections() - 1).ends_with("\r\n\r\nhi"));
  say(connections() - 1, kOk);
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(WaitingTest, ThePausesDoubleUpToHalfASecond) {
  stop_server();
  pool().queue_timeout = 1h;
  apply();
  get();
  refuse_last();
  for (const Duration pause : {25ms, 50ms, 100ms, 200ms, 400ms, 500ms, 500ms, 500ms}) {
    const size_t before = connections();
    pass(pause - 1ms);
    EXPECT_EQ(connections(), before);
    pass(1ms);
    ASSERT_EQ(connections(), before + 1);
    refuse_last();
  }
}

TEST_F(WaitingTest, OneConnectionAtATimeFindsOut) {
  stop_server();
  get("/1");
  refuse_last();
  for (int i = 2; i < 9; ++i) get("/" + std::to_string(i));
  EXPECT_EQ(connections(), 2U);
  pass(kFirst);
  EXPECT_EQ(connections(), 3U);
  get("/late");
  pass(1s);
  EXPECT_EQ(connections(), 3U) << "it has not failed yet";
}

TEST_F(WaitingTest, WhoWasRefusedKeepsThePlaceInTheQueue) {
  stop_server();
  get("/1");
  get("/2");
  get("/3");
  ASSERT_EQ(connections(), 4U);
  refuse(3);
  get("/4");
  refuse(2);
  refuse(1);
  EXPECT_EQ(connections(), 4U);
  pass(kFirst);
  ASSERT_EQ(connections(), 5U);
  accept(4);
  EXPECT_EQ(asked(4), "/1");
  ASSERT_EQ(connections(), 8U);
  for (const size_t which : {5U, 6U, 7U}) {
    accept(which);
    EXPECT_EQ(asked(which), "/" + std::to_string(which - 3));
  }
}

TEST_F(WaitingTest, WhenQueueTimeoutIsOverItGetsAnAnswer) {
  stop_server();
  Call& call = post();
  refuse_last();
  for (Duration waited{}; waited < pool().queue_timeout - 1ms; waited += 1ms) {
    pass(1ms);
    ASSERT_FALSE(call.client.done());
    if (!server(connections() - 1).connected) refuse_last();
  }
  pass(1ms);
  EXPECT_EQ(call.client.status, 503);
  EXPECT_EQ(call.client.reason, CloseReason::ServerAway);
}

// The time does not begin anew with every connection that is refused.
TEST_F(WaitingTest, AServerThatComesAndGoesMakesNobodyWaitForLonger) {
  stop_server();
  pool().max_connections = 1;
  apply();
  Call& call = get("/1");
  refuse_last();
  for (int i = 0; i < 20; ++i) {
    pass(100ms);
    if (!away()) continue;
    // There for a moment: the one that waits is given a slot, and is refused.
    servers[0]->connect_succeeded(now());
    pools.on_server_changed(*servers[0]);
    end_turn();
    refuse_last();
  }
  EXPECT_FALSE(call.client.done());
  pass(1s);
  EXPECT_EQ(call.client.status, 503);
}

TEST_F(WaitingTest, NobodyWaitsForAServerThatWasNeverSeenAlive) {
  apply();
  Call& first = get();
  refuse_last();
  EXPECT_EQ(first.client.status, 502);
  EXPECT_EQ(first.client.reason, CloseReason::ConnectRefused);
  Call& second = get();
  refuse_last();
  EXPECT_EQ(second.client.status, 502);
}

TEST_F(WaitingTest, WithoutWaitingTheAnswerComesAtOnce) {
  pool().wait_while_down = false;
  stop_server();
  Call& call = get();
  refuse_last();
  EXPECT_EQ(call.client.status, 502);
  Call& next = get();
  ASSERT_EQ(connections(), 3U);
  refuse_last();
  EXPECT_EQ(next.client.status, 502);
}

TEST_F(WaitingTest, WithoutAQueueTheAnswerComesAtOnce) {
  pool().queue_size = 0;
  stop_server();
  Call& call = get();
  refuse_last();
  EXPECT_EQ(call.client.status, 502);
}

TEST_F(WaitingTest, ACertificateDoesNotGetBetterByWaiting) {
  stop_server();
  Call& call = get();
  refuse_last(CloseReason::ServerCertificate);
  EXPECT_EQ(call.client.reason, CloseReason::ServerCertificate);
  Call& next = get();
  refuse_last(CloseReason::ServerCertificate);
  EXPECT_EQ(next.client.reason, CloseReason::ServerCertificate);
}

TEST_F(WaitingTest, WhatBerthLacksIsNoReasonToWait) {
  stop_server();
  network.refusals = {CloseReason::NoLocalResources};
  Call& call = get();
  EXPECT_EQ(call.client.reason, CloseReason::NoLocalResources);
  EXPECT_FALSE(away());
}

// The server has closed the connection, and no byte could be sent.
TEST_F(WaitingTest, ClosedBeforeAByteWasSentIsLikeRefused) {
  apply();
  warm_up();
  server(0).rst = true;  // the proxy does not know yet
  Call& call = post();
  ASSERT_EQ(connections(), 2U);
  expect_wait_until_back(call);
}

// It was sent, so it spends the retry budget; then it waits like any other.
TEST_F(WaitingTest, ARequestThatWasUnderWayIsSentAgainIfItMayBe) {
  apply();
  warm_up();
  Call& get_call = get();
  hang_up(0);
  ASSERT_EQ(connections(), 2U);
  expect_wait_until_back(get_call);
  Call& post_call = post();
  hang_up(2);
  EXPECT_EQ(post_call.client.status, 502);
}

TEST_F(WaitingTest, AClientThatLeavesLeavesTheQueue) {
  stop_server();
  Call& call = get();
  refuse_last();
  drop(call);
  pass(kFirst);
  EXPECT_EQ(connections(), 2U) << "nobody wants to know";
}

TEST_F(WaitingTest, AttemptsDoNotLimitThoseOfWhichNothingWasSent) {
  settings().retry.attempts = 1;
  stop_server();
  Call& call = get();
  refuse_last();
  for (int i = 0; i < 5; ++i) {
    pass(400ms);
    refuse_last();
    EXPECT_FALSE(call.client.done());
  }
  pass(500ms);
  accept(connections() - 1);
  say(connections() - 1, kOk);
  EXPECT_EQ(call.client.status, 200);
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.attempts, 2U) << "one was refused, one was answered";
  EXPECT_EQ(record.queue_wait, 2500ms);
}

// It is told for which client a connection is: one for nobody cannot be used.
TEST_F(WaitingTest, WithAProxyHeaderTheOneThatFoundOutIsNotUsed) {
  settings().proxy_protocol = config::ProxyProtocol::V2;
  apply();
  Call& first = get("/1");
  accept(0);
  say(0, kOk);
  EXPECT_EQ(first.client.status, 200);
  Call& call = get("/2");
  refuse_last();
  pass(kFirst);
  ASSERT_EQ(connections(), 3U);
  accept(2);
  EXPECT_EQ(asked(2), "");
  EXPECT_TRUE(server(2).closed);
  ASSERT_EQ(connections(), 4U);
  accept(3);
  say(3, kOk);
  EXPECT_EQ(call.client.status, 200);
}

class OneOfTwoAwayTest : public WaitingTest {
 protected:
  OneOfTwoAwayTest() {
    settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
    settings().balance = config::Balance::RoundRobin;
  }
  // A request that is answered at once; returns the server's index.
  size_t serve() {
    const size_t before = connections();
    Call& call = get();
    size_t at = before;
    // (One that finds out whether a server is back may have been made before it.)
    while (at < connections() && is_trial(at)) ++at;
    if (at < connections()) {
      accept(at);
      heard(at);
    } else {
      at = 0;
      while (heard(at).empty()) ++at;
    }
    say(at, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(call.client.status, 200);
    drop(call);
    return server(at).address == servers[0]->address ? 0 : 1;
  }
  bool is_trial(size_t which) { return server(which).address == servers[0]->address && away(); }
  void lose_first() {
    apply();
    while (serve() != 0) {
    }
    servers[0]->connect_failed(CloseReason::ConnectRefused, now(), now());
  }
};

TEST_F(OneOfTwoAwayTest, TheOthersServeAndTheirRequestsFindOutWhetherItIsBack) {
  lose_first();
  const size_t before = connections();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(serve(), 1U);
  EXPECT_EQ(connections(), before + 4);
  pass(kFirst);
  EXPECT_EQ(serve(), 1U);
  EXPECT_EQ(connections(), before + 6) << "its own, and one for nobody";
  EXPECT_EQ(serve(), 1U);
  EXPECT_EQ(connections(), before + 7) << "one at a time";
  accept(before + 4);
  EXPECT_FALSE(away());
  size_t by_the_other = 0;
  for (int i = 0; i < 6; ++i) by_the_other += serve();
  EXPECT_GE(by_the_other, 2U);
  EXPECT_LE(by_the_other, 3U) << "it has its turns again";
}

TEST_F(OneOfTwoAwayTest, WhoIsRefusedByOneGoesToTheOther) {
  settings().retry.attempts = 1;
  apply();
  serve();
  serve();
  const size_t before = connections();
  Call& call = post();
  refuse(before);
  ASSERT_EQ(connections(), before + 2);
  EXPECT_FALSE(server(before + 1).address == server(before).address);
  accept(before + 1);
  say(before + 1, kOk);
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(OneOfTwoAwayTest, WhenBothAreAwayTheFirstThatIsBackServes) {
  apply();
  serve();
  serve();
  const size_t before = connections();
  Call& call = post();
  refuse(before);
  refuse(before + 1);
  EXPECT_FALSE(call.client.done());
  pass(kFirst);
  ASSERT_EQ(connections(), before + 4) << "one for each";
  accept(before + 3);
  say(before + 3, kOk);
  EXPECT_EQ(call.client.status, 200);
}

}  // namespace
}  // namespace berth::exchange
