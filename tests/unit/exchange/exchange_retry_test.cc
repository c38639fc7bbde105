// Servers that cannot be reached, and connections that were closed already.
#include "tests/unit/exchange/exchange_fixture.h"

namespace berth::exchange {
namespace {

// --- Servers that cannot be reached

TEST_F(ExchangeTest, TheNextServerIsTriedWhenOneRefuses) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& call = get();
  refuse(0);
  ASSERT_EQ(connections(), 2u);
  EXPECT_FALSE(server(0).address == server(1).address);
  accept(1);
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, ARefusalAtOnceIsARefusalToo) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  network.refusals = {CloseReason::ConnectRefused};
  Call& call = get();
  ASSERT_EQ(connections(), 1u);
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(ExchangeTest, WhenAllServersRefuseTheClientHearsWhy) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& call = get();
  refuse(0);
  refuse(1, CloseReason::ConnectUnreachable);
  EXPECT_EQ(connections(), 2u) << "none is asked twice";
  EXPECT_EQ(call.client.status, 502);
  EXPECT_EQ(call.client.reason, CloseReason::ConnectUnreachable);
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, NoMoreServersAreTriedThanAllowed) {
  settings().servers = {{"10.0.0.1:1"}, {"10.0.0.2:1"}, {"10.0.0.3:1"}, {"10.0.0.4:1"}};
  settings().retry.attempts = 2;
  apply();
  Call& call = get();
  refuse(0);
  refuse(1);
  EXPECT_EQ(connections(), 2u);
  EXPECT_EQ(call.client.status, 502);
}

TEST_F(ExchangeTest, APostMayBeTriedElsewhereWhenNothingWasSent) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& call = post(5, "hello");
  refuse(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), "hello");
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(ExchangeTest, AServerThatDoesNotAnswerInTimeTimesOut) {
  settings().connect_timeout = 2s;
  apply();
  Call& call = get();
  pass(1999ms);
  EXPECT_FALSE(call.client.done());
  pass(2ms);
  EXPECT_EQ(call.client.status, 504);
  EXPECT_EQ(call.client.reason, CloseReason::ConnectTimeout);
}

TEST_F(ExchangeTest, AResponseThatDoesNotComeTimesOut) {
  settings().response_timeout = 10s;
  apply();
  Call& call = get();
  accept();
  pass(11s);
  EXPECT_EQ(call.client.status, 504);
  EXPECT_EQ(call.client.reason, CloseReason::ResponseTimeout);
  EXPECT_EQ(connections(), 1u) << "asking again would double its work";
}

TEST_F(ExchangeTest, AMalformedResponseIsABadGateway) {
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 abc\r\n\r\n");
  EXPECT_EQ(call.client.status, 502);
  EXPECT_EQ(call.client.reason, CloseReason::BadResponse);
  EXPECT_TRUE(server().closed);
  EXPECT_EQ(connections(), 1u);
}

// --- Stale connections

TEST_F(ExchangeTest, AGetThatMetAStaleConnectionIsSentAgainOnANewOne) {
  apply();
  warm_up();
  Call& call = get("/again");
  EXPECT_TRUE(heard(0).starts_with("GET /again "));
  hang_up(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_TRUE(heard(1).starts_with("GET /again "));
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(call.client.body, "ok");
  EXPECT_EQ(retries(stats::RetryCause::Idempotent), 1u);
  EXPECT_EQ(stale(stats::StaleOutcome::Replayed), 1u);
  EXPECT_EQ(stale(stats::StaleOutcome::Failed), 0u);
}

TEST_F(ExchangeTest, AResetIsHandledInTheSameWay) {
  apply();
  warm_up();
  Call& call = get();
  reset(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(ExchangeTest, AfterAStaleConnectionAnotherIdleOneIsNotTrusted) {
  apply();
  // Two idle connections.
  Call& one = get();
  Call& two = get();
  accept(0);
  accept(1);
  for (const size_t which : {0u, 1u}) say(which, "HTTP/1.1 204 No Content\r\n\r\n");
  drop(one);
  drop(two);
  get();
  const size_t used = heard(0).size() > heard(1).size() ? 0 : 1;
  hang_up(used);
  EXPECT_EQ(connections(), 3u);
}

TEST_F(ExchangeTest, APostThatMetAStaleConnectionIsNotSentAgain) {
  apply();
  warm_up();
  Call& call = post(5, "hello");
  EXPECT_EQ(connections(), 1u);
  hang_up(0);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(call.client.status, 502);
  EXPECT_EQ(call.client.reason, CloseReason::ServerClosed);
  EXPECT_EQ(stale(stats::StaleOutcome::Failed), 1u);
}

TEST_F(ExchangeTest, APostWithAnIdempotencyKeyIsSentAgainWithItsBody) {
  apply();
  warm_up();
  Call& call = post(5, "hello", "Idempotency-Key: k\r\n");
  EXPECT_EQ(heard_body(0), "hello");
  hang_up(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), "hello");
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(ExchangeTest, APostOfWhichNoByteWasTakenIsSentAgain) {
  apply();
  warm_up();
  server(0).rst = true;  // the kernel knows, and says so at the first write
  Call& call = post(5, "hello");
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), "hello");
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(retries(stats::RetryCause::NotSent), 1u);
}

TEST_F(ExchangeTest, APostIsSentAgainIfItsLossIsProvedAndThatIsAllowed) {
  settings().retry.non_idempotent = config::RetryNonIdempotent::FinProved;
  apply();
  warm_up();
  server(0).acknowledges = false;
  Call& call = post(5, "hello");
  hang_up(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), "hello");
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(retries(stats::RetryCause::FinProved), 1u);
}

TEST_F(ExchangeTest, APostThatWasAcknowledgedIsNotSentAgainEvenIfThatIsAllowed) {
  settings().retry.non_idempotent = config::RetryNonIdempotent::FinProved;
  apply();
  warm_up();
  Call& call = post(5, "hello");
  hang_up(0);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(call.client.status, 502);
}

TEST_F(ExchangeTest, ABodyThatHasStreamedAwayCannotBeSentAgain) {
  settings().request_buffer = 4;
  apply();
  warm_up();
  Call& call = begin("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 8\r\n", "abcd", false);
  body(call, "efgh", true);
  hang_up(0);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(call.client.status, 502);
}

TEST_F(ExchangeTest, ABodyThatIsStillAtHandIsSentAgain) {
  apply();
  warm_up();
  Call& call = begin("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 8\r\n", "abcd", false);
  body(call, "efgh", true);
  EXPECT_EQ(heard_body(0), "abcdefgh");
  hang_up(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  EXPECT_EQ(heard_body(1), "abcdefgh");
}

TEST_F(ExchangeTest, AServerThatFailsTwiceIsNotAskedAThirdTime) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& first = get();
  refuse(0);  // asked last for a while
  accept(1);
  say(1, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(first.client.status, 204);
  Call& call = get();
  hang_up(1);
  ASSERT_EQ(connections(), 3u);
  EXPECT_EQ(server(2).address, server(1).address) << "once may have been a stale connection";
  accept(2);
  hang_up(2);
  ASSERT_EQ(connections(), 3u) << "it waits for the one that is away";
  pass(upstream::Backoff::kFirst);
  ASSERT_EQ(connections(), 4u);
  EXPECT_EQ(server(3).address, server(0).address);
  accept(3);
  say(3, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
}

TEST_F(ExchangeTest, ARequestIsNotSentForEver) {
  settings().retry.attempts = 3;
  apply();
  warm_up();
  Call& call = get();
  for (size_t which = 0; which < 3; ++which) {
    ASSERT_EQ(connections(), which + 1);
    if (which > 0) accept(which);
    hang_up(which);
  }
  EXPECT_EQ(connections(), 3u);
  EXPECT_EQ(call.client.status, 502);
}

// It would take one server after the other along.
TEST_F(ExchangeTest, ARequestOverWhichTwoServersHaveDiedIsNotSentToAThird) {
  settings().servers = {{"10.0.0.1:1"}, {"10.0.0.2:1"}, {"10.0.0.3:1"}};
  settings().retry.attempts = 5;
  settings().retry.budget_percent = 100;
  apply();
  Call& call = get();
  for (size_t which = 0; which < connections() && which < 5; ++which) {
    accept(which);
    hang_up(which);
  }
  EXPECT_EQ(call.client.status, 502);
  EXPECT_EQ(call.client.reason, CloseReason::ServerClosed);
  std::vector<net::Address> asked;
  for (size_t which = 0; which < connections(); ++which) {
    if (std::find(asked.begin(), asked.end(), server(which).address) == asked.end()) {
      asked.push_back(server(which).address);
    }
  }
  EXPECT_EQ(asked.size(), 2u);
}

TEST_F(ExchangeTest, RetriesSpendABudget) {
  settings().retry.budget_min = 1;
  settings().retry.budget_percent = 0;
  apply();
  Call& one = get("/1");
  Call& two = get("/2");
  accept(0);
  accept(1);
  hang_up(0);  // takes the budget
  hang_up(1);
  ASSERT_EQ(connections(), 3u);
  EXPECT_FALSE(one.client.done());
  EXPECT_EQ(two.client.status, 502);
  EXPECT_EQ(sum().retry_budget_exhausted.value(), 1u);
  accept(2);
  say(2, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(one.client.status, 200);
  drop(one);  // gives the budget back
  drop(two);
  get("/3");
  hang_up(2);
  EXPECT_EQ(connections(), 4u);
}

TEST_F(ExchangeTest, WhatWasNotSentCostsNoBudget) {
  settings().retry.budget_min = 0;
  settings().retry.budget_percent = 0;
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& call = get();
  refuse(0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(sum().retry_budget_exhausted.value(), 0u);
}

TEST_F(ExchangeTest, NothingIsSentAgainOnceTheResponseHasBegun) {
  apply();
  warm_up();
  Call& call = get();
  say(0, "HTTP/1.1 2");
  hang_up(0);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(call.client.status, 502);
}

TEST_F(ExchangeTest, AResponseThatBreaksOffIsAborted) {
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
  hang_up(0);
  EXPECT_EQ(call.client.aborted, CloseReason::ResponseAborted);
  EXPECT_EQ(call.client.completions, 0);
  EXPECT_EQ(call.client.locals, 0);
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.reason, CloseReason::ServerClosed);
}

}  // namespace
}  // namespace berth::exchange
