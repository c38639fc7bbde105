#include "proxy/exchange/exchange.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

class ExchangeTest : public ProxyInMemory {
 protected:
  // A POST whose body is announced to be `length` bytes; `came` of them are here.
  Call& post(size_t length, std::string_view came, const std::string& lines = {}) {
    return begin("POST /form HTTP/1.1\r\nHost: app.test\r\nContent-Length: " +
                     std::to_string(length) + "\r\n" + lines,
                 came, came.size() == length);
  }
  Call& post_chunked(std::string_view came, bool complete = false, std::string_view trailers = {}) {
    return begin("POST /form HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n", came,
                 complete, trailers);
  }
};

// --- There and back

TEST_F(ExchangeTest, ARequestGoesToTheServerAndItsResponseBack) {
  apply();
  Call& call = get("/hello?x");
  ASSERT_EQ(connections(), 1u);
  EXPECT_EQ(server().address.to_string(), "10.0.0.1:3000");
  EXPECT_EQ(heard(), "");
  accept();
  const std::string sent = heard();
  EXPECT_TRUE(
      sent.starts_with("GET /hello?x HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 192.0.2.7\r\n"))
      << sent;
  EXPECT_TRUE(sent.ends_with("\r\n\r\n"));
  EXPECT_EQ(call.client.heads, 0);
  say(0, "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(call.client.status, 200);
  EXPECT_EQ(call.client.fields, "X-A=b;Content-Length=5;");
  EXPECT_EQ(call.client.body, "hello");
  EXPECT_TRUE(call.client.body_complete);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_EQ(call.client.heads, 1);
  EXPECT_EQ(call.client.locals, 0);
}

TEST_F(ExchangeTest, TheNextRequestTakesTheSameConnection) {
  apply();
  warm_up();
  Call& call = get();
  EXPECT_EQ(connections(), 1u);
  EXPECT_NE(heard(), "");
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_FALSE(server().closed);
}

TEST_F(ExchangeTest, AResponseThatComesInPiecesIsPassedOnAsItComes) {
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-");
  EXPECT_EQ(call.client.heads, 0);
  say(0, "Length: 10\r\n\r\n01");
  EXPECT_EQ(call.client.body, "01");
  EXPECT_FALSE(call.client.body_complete);
  say(0, "2345");
  EXPECT_EQ(call.client.body, "012345");
  say(0, "6789");
  EXPECT_TRUE(call.client.body_complete);
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, AChunkedResponseKeepsItsTrailers) {
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  EXPECT_EQ(call.client.body, "abc");
  EXPECT_EQ(call.client.framing, http::BodyKind::Chunked);
  say(0, "2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_EQ(call.client.body, "abcde");
  EXPECT_EQ(call.client.trailers, "X-Sum: 1\r\n");
  EXPECT_EQ(call.client.completions, 1);
  get();
  EXPECT_EQ(connections(), 1u) << "fit for another request";
}

TEST_F(ExchangeTest, AResponseWithoutLengthEndsWithItsConnection) {
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 200 OK\r\n\r\nabc");
  EXPECT_EQ(call.client.framing, http::BodyKind::UntilClose);
  hang_up(0);
  EXPECT_EQ(call.client.body, "abc");
  EXPECT_TRUE(call.client.body_complete);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_TRUE(server().closed);
}

TEST_F(ExchangeTest, AHeadRequestHasNoBodyWhateverItsLengthSays) {
  apply();
  Call& call = begin("HEAD / HTTP/1.1\r\nHost: app.test\r\n");
  accept();
  EXPECT_TRUE(heard().starts_with("HEAD / "));
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_EQ(call.client.body, "");
}

TEST_F(ExchangeTest, InterimResponsesArePassedOn) {
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.interims, (std::vector<uint16_t>{103, 102}));
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, TheClientIsGivenTheRoutesRulesForResponses) {
  config.routes.front().response_headers.remove = {"X-Secret"};
  apply();
  Call& call = get();
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_NE(call.client.rules, nullptr);
  EXPECT_EQ(call.client.rules->remove, std::vector<std::string>{"X-Secret"});
}

// --- The request's body

TEST_F(ExchangeTest, NoConnectionIsTakenWhileTheBodyIsStillComing) {
  apply();
  Call& call = post(10, "0123");
  EXPECT_EQ(connections(), 0u);
  body(call, "456");
  EXPECT_EQ(connections(), 0u);
  body(call, "789", true);
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_EQ(heard_body(), "0123456789");
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, ALongBodyStreamsOnceTheBufferIsFull) {
  settings().request_buffer = 1000;
  apply();
  Call& call = post(3000, std::string(999, 'a'));
  EXPECT_EQ(connections(), 0u);
  body(call, "b");
  ASSERT_EQ(connections(), 1u) << "request_buffer bytes are here";
  accept();
  EXPECT_EQ(heard_body(), std::string(999, 'a') + "b");
  body(call, std::string(1000, 'c'));
  EXPECT_EQ(heard(), std::string(1000, 'c'));
  body(call, std::string(1000, 'd'), true);
  EXPECT_EQ(heard(), std::string(1000, 'd'));
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, AClientThatSendsMoreThanTheBufferWhileItWaitsIsPaused) {
  settings().request_buffer = 1000;
  apply();
  Call& call = post(5000, std::string(1000, 'a'));
  ASSERT_EQ(connections(), 1u);
  EXPECT_TRUE(call.client.paused);
  body(call, std::string(500, 'b'));  // was on its way
  EXPECT_EQ(call.client.pauses, 1);
  accept();
  EXPECT_FALSE(call.client.paused);
  EXPECT_EQ(heard_body(), std::string(1000, 'a') + std::string(500, 'b'));
}

TEST_F(ExchangeTest, AServerThatDoesNotReadPausesTheClient) {
  settings().request_buffer = 1000;
  apply();
  Call& call = post(1'000'000, std::string(1000, 'a'));
  accept();
  heard();
  server().room = 10;
  body(call, std::string(60'000, 'b'));
  EXPECT_FALSE(call.client.paused);
  body(call, std::string(60'000, 'c'));
  EXPECT_TRUE(call.client.paused);
  server().room = SIZE_MAX;
  ready(0, {.writable = true});
  EXPECT_FALSE(call.client.paused);
  EXPECT_EQ(heard(), std::string(60'000, 'b') + std::string(60'000, 'c'));
}

constexpr char kExpect[] = "Expect: 100-continue\r\n";

TEST_F(ExchangeTest, WhoWaitsFor100HearsItFromBerthAndHoldsNothing) {
  apply();
  Call& call = post(5, "", kExpect);
  EXPECT_EQ(call.client.continues, 1);
  EXPECT_EQ(connections(), 0u);
  body(call, "01234", true);
  ASSERT_EQ(connections(), 1u);
  accept();
  const std::string sent = heard();
  EXPECT_EQ(sent.find("Expect:"), std::string::npos);
  EXPECT_TRUE(sent.ends_with("\r\n\r\n01234"));
  // A server that says it unasked says nothing new.
  say(0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.interims, std::vector<uint16_t>{});
  EXPECT_EQ(call.client.status, 201);
}

TEST_F(ExchangeTest, WhoHasBegunToSendNeedsNo100) {
  apply();
  EXPECT_EQ(post(5, "01", kExpect).client.continues, 0);
  EXPECT_EQ(post(2, "01", kExpect).client.continues, 0);
}

TEST_F(ExchangeTest, WhoseRequestIsRefusedIsNotAskedForItsBody) {
  config.routes.front().path = "/elsewhere";
  apply();
  Call& call = post(5, "", kExpect);
  EXPECT_EQ(call.client.status, 404);
  EXPECT_EQ(call.client.continues, 0);
}

TEST_F(ExchangeTest, StreamingLeaves100ToTheServer) {
  settings().request_body = config::RequestBody::Stream;
  apply();
  Call& call = post(5, "", kExpect);
  EXPECT_EQ(call.client.continues, 0);
  ASSERT_EQ(connections(), 1u);
  accept();
  EXPECT_NE(heard().find(kExpect), std::string::npos);
  say(0, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(call.client.interims, std::vector<uint16_t>{100});
  body(call, "01234", true);
  EXPECT_EQ(heard(), "01234");
  say(0, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 201);
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, StreamingPassesEachPieceOnInBothDirections) {
  settings().request_body = config::RequestBody::Stream;
  apply();
  Call& call = post_chunked("");
  accept();
  EXPECT_NE(heard().find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  say(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(call.client.heads, 1);
  for (const char* piece : {"one", "two"}) {
    body(call, piece);
    EXPECT_EQ(heard(), std::string("3\r\n") + piece + "\r\n");
    call.client.body.clear();
    say(0, std::string("3\r\n") + piece + "\r\n");
    EXPECT_EQ(call.client.body, piece);
  }
  body(call, "", true);
  EXPECT_EQ(heard(), "0\r\n\r\n");
  say(0, "0\r\n\r\n");
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_FALSE(server().closed);
}

TEST_F(ExchangeTest, ARouteSaysHowItsBodiesAreTaken) {
  settings().request_body = config::RequestBody::Stream;
  config.routes.front().request_body = config::RequestBody::Auto;
  apply();
  EXPECT_EQ(post(5, "", kExpect).client.continues, 1);
  EXPECT_EQ(connections(), 0u);
}

TEST_F(ExchangeTest, AChunkedBodyIsChunkedAnew) {
  apply();
  Call& call = post_chunked("abc");
  body(call, "de");
  body(call, "", true, "X-Sum: 1\r\n");
  accept();
  EXPECT_EQ(heard_body(), "5\r\nabcde\r\n0\r\nX-Sum: 1\r\n\r\n");
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(ExchangeTest, AChunkedBodyStreamsInChunks) {
  settings().request_buffer = 4;
  apply();
  Call& call = post_chunked("abcd");
  accept();
  EXPECT_EQ(heard_body(), "4\r\nabcd\r\n");
  body(call, "0123456789abcdef");
  EXPECT_EQ(heard(), "10\r\n0123456789abcdef\r\n");
  body(call, "", true);
  EXPECT_EQ(heard(), "0\r\n\r\n");
}

TEST_F(ExchangeTest, TheEndOfAChunkedBodyCanComeWithItsLastBytes) {
  settings().request_buffer = 1;
  apply();
  Call& call = post_chunked("a");
  accept();
  heard();
  body(call, "b", true, "T: 1\r\n");
  EXPECT_EQ(heard(), "1\r\nb\r\n0\r\nT: 1\r\n\r\n");
}

TEST_F(ExchangeTest, AnEmptyChunkedBodyIsJustItsEnd) {
  apply();
  post_chunked("", true);
  accept();
  EXPECT_EQ(heard_body(), "0\r\n\r\n");
}

TEST_F(ExchangeTest, ManySmallPiecesOfABodyArriveInOrder) {
  settings().request_buffer = 1 << 20;
  apply();
  Call& call = post(200'000, "");
  std::string all;
  while (all.size() < 200'000) {
    const std::string piece(1000, static_cast<char>('a' + all.size() / 1000 % 26));
    all += piece;
    body(call, piece, all.size() == 200'000);
  }
  accept();
  EXPECT_EQ(heard_body(), all);
}

TEST_F(ExchangeTest, BytesOfTheScratchAreTakenOver) {
  apply();
  Call& call = post(50'000, "");
  std::memset(scratch().data(), 'x', 40'000);
  body(call, {scratch().data(), 40'000});
  std::memset(scratch().data(), 'y', 10'000);
  body(call, {scratch().data(), 10'000}, true);
  std::memset(scratch().data(), 'z', 50'000);
  accept();
  EXPECT_EQ(heard_body(), std::string(40'000, 'x') + std::string(10'000, 'y'));
}

TEST_F(ExchangeTest, AnEarlyResponseEndsTheExchangeAndTheConnection) {
  settings().request_buffer = 4;
  apply();
  Call& call = post(100, "abcd");
  accept();
  say(0, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.status, 413);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_TRUE(server().closed) << "the server waits for the rest of a request";
  EXPECT_EQ(closed(CloseReason::UnfinishedRequest), 1u);
  body(call, "rest");  // nobody wants it
}

// --- A slow client

TEST_F(ExchangeTest, ASlowClientHoldsTheServerBack) {
  settings().response_buffer = 1000;
  apply();
  Call& call = get();
  accept();
  call.client.not_taken = 1000;
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n0123456789");
  call.client.not_taken = 1001;
  say(0, "0123456789");
  EXPECT_EQ(call.client.body.size(), 20u);
  say(0, "0123456789");
  EXPECT_EQ(call.client.body.size(), 20u) << "not read any more";
  call.client.not_taken = 0;
  call.exchange.on_response_drained();
  end_turn();
  EXPECT_EQ(call.client.body.size(), 30u);
  EXPECT_EQ(call.client.completions, 1);
}

// --- When memory is short

TEST_F(ExchangeTest, WhenMemoryIsShortAResponseIsNotReadAhead) {
  apply();
  Call& call = get();
  call.client.memory_short = true;
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012");
  say(0, "345");
  EXPECT_EQ(call.client.body, "012345") << "a client that takes everything is not held back";
  call.client.not_taken = 1;
  say(0, "67");
  say(0, "8");
  EXPECT_EQ(call.client.body, "01234567");
  call.exchange.on_memory();
  end_turn();
  EXPECT_EQ(call.client.body, "012345678") << "there is memory again";
}

TEST_F(ExchangeTest, WhoHoldsTooMuchMemoryGetsNoConnection) {
  pool().max_connections = 1;
  apply();
  get();
  Call& waiting = get();
  waiting.client.memory_refused_now = true;
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(waiting.client.status, 503);
  EXPECT_EQ(waiting.client.reason, CloseReason::MemoryShort);
  EXPECT_FALSE(server(0).closed) << "the connection serves others";
}

// --- What Berth answers itself

TEST_F(ExchangeTest, WithoutARouteItIsNotFound) {
  config.routes.front().host = "other.test";
  apply();
  Call& call = get();
  EXPECT_EQ(connections(), 0u);
  EXPECT_EQ(call.client.status, 404);
  EXPECT_EQ(call.client.reason, CloseReason::NoRoute);
  EXPECT_EQ(call.client.request_id.size(), 32u);
  EXPECT_EQ(call.client.completions, 1);
}

// The client goes on sending a body that nobody waits for.
TEST_F(ExchangeTest, TheBodyOfARequestWithoutARouteIsIgnored) {
  config.routes.front().host = "other.test";
  apply();
  Call& call = post(100, "abc");
  EXPECT_EQ(call.client.status, 404);
  body(call, "def");
  body(call, std::string(94, 'x'), true);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_EQ(connections(), 0u);
}

TEST_F(ExchangeTest, TheBodyOfARequestThatWasGivenUpIsIgnored) {
  apply();
  Call& call = post(100, "abc");
  call.exchange.cancel();  // its body was found wrong, say
  body(call, std::string(97, 'x'), true);
  EXPECT_EQ(connections(), 0u);
  EXPECT_FALSE(call.client.done());
}

TEST_F(ExchangeTest, TheBodyOfARequestThatFoundNoServerIsIgnored) {
  settings().request_buffer = 4;
  apply();
  network.refusals = {CloseReason::ConnectRefused};
  Call& call = post(100, "abcd");
  EXPECT_EQ(call.client.status, 502);
  body(call, "efgh");
  body(call, "", true);
  EXPECT_EQ(connections(), 0u);
  EXPECT_EQ(call.client.pauses, 0);
}

TEST_F(ExchangeTest, AnAmbiguousPathIsRefused) {
  config.routes.push_back(config.routes.front());
  config.routes.back().path = "/admin";
  config.routes.back().request_headers.set = {{"X-Admin", "1"}};
  apply();
  Call& call = get("/x/%2e%2e/admin");
  EXPECT_EQ(call.client.status, 400);
  EXPECT_EQ(call.client.reason, CloseReason::AmbiguousPath);
  EXPECT_EQ(connections(), 0u);
}

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

// --- The client leaves

TEST_F(ExchangeTest, AClientThatLeavesWhileItsConnectionIsMadeLeavesItToOthers) {
  apply();
  Call& call = get();
  drop(call);
  accept();
  EXPECT_FALSE(server().closed);
  EXPECT_EQ(heard(), "");
  get("/next");
  EXPECT_EQ(connections(), 1u);
  EXPECT_TRUE(heard().starts_with("GET /next "));
}

TEST_F(ExchangeTest, AClientThatLeavesInTheMiddleTakesItsConnectionWithIt) {
  apply();
  Call& call = get();
  accept();
  drop(call);
  EXPECT_TRUE(server().closed);
  EXPECT_EQ(closed(CloseReason::ClientGone), 1u);
}

TEST_F(ExchangeTest, AClientThatLeavesTheQueueLeavesNoTrace) {
  pool().max_connections = 1;
  apply();
  Call& one = get("/1");
  Call& two = get("/2");
  Call& three = get("/3");
  accept();
  heard();
  drop(two);
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(one.client.completions, 1);
  EXPECT_TRUE(heard().starts_with("GET /3 "));
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(three.client.completions, 1);
}

// --- The queue

TEST_F(ExchangeTest, RequestsWaitTheirTurn) {
  pool().max_connections = 1;
  apply();
  Call& one = get("/1");
  Call& two = get("/2");
  Call& three = get("/3");
  EXPECT_EQ(connections(), 1u);
  accept();
  EXPECT_TRUE(heard().starts_with("GET /1 "));
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("GET /2 "));
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(heard().starts_with("GET /3 "));
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  for (const Call* call : {&one, &two, &three}) EXPECT_EQ(call->client.completions, 1);
  EXPECT_EQ(connections(), 1u);
}

TEST_F(ExchangeTest, WhoWaitsTooLongIsToldSo) {
  pool().max_connections = 1;
  pool().queue_timeout = 2s;
  apply();
  get("/1");
  Call& two = get("/2");
  accept();
  pass(1900ms);
  EXPECT_FALSE(two.client.done());
  pass(200ms);
  EXPECT_EQ(two.client.status, 503);
  EXPECT_EQ(two.client.reason, CloseReason::QueueTimeout);
}

TEST_F(ExchangeTest, AFullQueueRefusesAtOnce) {
  pool().max_connections = 1;
  pool().queue_size = 1;
  apply();
  get("/1");
  Call& two = get("/2");
  Call& three = get("/3");
  EXPECT_FALSE(two.client.done());
  EXPECT_EQ(three.client.status, 503);
  EXPECT_EQ(three.client.reason, CloseReason::QueueFull);
}

TEST_F(ExchangeTest, ABodyThatCameWhileWaitingIsSentWithTheRest) {
  pool().max_connections = 1;
  settings().request_buffer = 4;
  apply();
  get("/1");
  accept();
  Call& call = post(12, "abcd");
  EXPECT_TRUE(call.client.paused);
  body(call, "efgh");
  heard();
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(heard_body(), "abcdefgh");
  EXPECT_FALSE(call.client.paused);
  body(call, "ijkl", true);
  EXPECT_EQ(heard(), "ijkl");
}

// --- Upgrades

class UpgradeTest : public ExchangeTest {
 protected:
  Call& upgrade() {
    return begin(
        "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
  }
  void switch_protocols(size_t which = 0) {
    say(which,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  }
};

TEST_F(UpgradeTest, CarriesBytesBothWays) {
  apply();
  Call& call = upgrade();
  accept();
  EXPECT_NE(heard().find("Upgrade: websocket\r\n"), std::string::npos);
  switch_protocols();
  EXPECT_TRUE(call.client.upgraded);
  say(0, "from the server");
  EXPECT_EQ(call.client.body, "from the server");
  body(call, "from the client");
  EXPECT_EQ(heard(), "from the client");
  EXPECT_FALSE(call.client.done());
}

TEST_F(UpgradeTest, BytesBehindThe101AreTheTunnels) {
  apply();
  Call& call = upgrade();
  accept();
  say(0,
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst");
  EXPECT_TRUE(call.client.upgraded);
  EXPECT_EQ(call.client.body, "first");
}

TEST_F(UpgradeTest, EndsWhenBothSidesHaveEnded) {
  apply();
  Call& call = upgrade();
  accept();
  switch_protocols();
  body(call, "", true);
  EXPECT_TRUE(server().proxy_fin);
  EXPECT_FALSE(call.client.done());
  say(0, "late");
  EXPECT_EQ(call.client.body, "late");
  hang_up(0);
  EXPECT_TRUE(call.client.body_complete);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_TRUE(server().closed);
}

TEST_F(UpgradeTest, TheServerMayEndFirst) {
  apply();
  Call& call = upgrade();
  accept();
  switch_protocols();
  hang_up(0);
  EXPECT_TRUE(call.client.body_complete);
  EXPECT_FALSE(call.client.done());
  body(call, "still");
  EXPECT_EQ(heard_body(), "still");
  body(call, "", true);
  EXPECT_EQ(call.client.completions, 1);
}

TEST_F(UpgradeTest, ItsLastBytesAreSentWhenBothHaveEnded) {
  apply();
  Call& call = upgrade();
  accept();
  switch_protocols();
  heard();
  server().room = 3;
  body(call, "last words");
  body(call, "", true);
  hang_up(0);
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_FALSE(server().closed);
  EXPECT_FALSE(server().proxy_fin);
  server().room = SIZE_MAX;
  ready(0, {.writable = true});
  EXPECT_EQ(heard(), "last words");
  EXPECT_TRUE(server().closed);
}

TEST_F(UpgradeTest, AResetEndsTheTunnel) {
  apply();
  Call& call = upgrade();
  accept();
  switch_protocols();
  reset(0);
  EXPECT_EQ(call.client.aborted, CloseReason::UpgradeFinished);
}

TEST_F(UpgradeTest, LeavesItsPlaceInThePoolToOthers) {
  pool().max_connections = 1;
  apply();
  upgrade();
  Call& waiting = get("/waiting");
  accept();
  switch_protocols();
  ASSERT_EQ(connections(), 2u);
  accept(1);
  say(1, "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(waiting.client.completions, 1);
}

TEST_F(UpgradeTest, HasABoundOfItsOwn) {
  pool().max_upgraded = 1;
  apply();
  upgrade();
  accept(0);
  switch_protocols(0);
  Call& second = upgrade();
  accept(1);
  EXPECT_EQ(second.client.status, 503);
  EXPECT_EQ(second.client.reason, CloseReason::UpgradeLimit);
  EXPECT_FALSE(server(1).closed) << "nothing was asked of it";
}

TEST_F(UpgradeTest, AServerThatDeclinesAnswersAsUsual) {
  apply();
  Call& call = upgrade();
  accept();
  say(0, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(call.client.status, 426);
  EXPECT_EQ(call.client.body, "no");
  EXPECT_EQ(call.client.completions, 1);
  EXPECT_FALSE(server().closed);
}

TEST_F(UpgradeTest, A101ThatNobodyAskedForIsABadGateway) {
  apply();
  Call& call = get();
  accept();
  switch_protocols();
  EXPECT_EQ(call.client.status, 502);
  EXPECT_EQ(call.client.reason, CloseReason::UnexpectedUpgrade);
}

TEST_F(UpgradeTest, ASlowClientHoldsTheTunnelBack) {
  settings().response_buffer = 10;
  apply();
  Call& call = upgrade();
  accept();
  switch_protocols();
  call.client.not_taken = 11;
  say(0, "abc");
  say(0, "def");
  EXPECT_EQ(call.client.body, "abc");
  call.client.not_taken = 0;
  call.exchange.on_response_drained();
  EXPECT_EQ(call.client.body, "abcdef");
}

// --- What the log is told

TEST_F(ExchangeTest, DescribesWhatItDid) {
  apply();
  Call& call =
      begin("GET /x?y HTTP/1.1\r\nHost: app.test\r\nUser-Agent: ua\r\nReferer: http://r.test/\r\n");
  pass(30ms);
  accept();
  pass(200ms);
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.method, "GET");
  EXPECT_EQ(record.host, "app.test");
  EXPECT_EQ(record.target, "/x?y");
  EXPECT_EQ(record.user_agent, "ua");
  EXPECT_EQ(record.referer, "http://r.test/");
  EXPECT_EQ(record.request_id.size(), 32u);
  EXPECT_EQ(record.reason, CloseReason::None);
  EXPECT_EQ(record.upstream, "app");
  EXPECT_EQ(record.server, "10.0.0.1:3000");
  EXPECT_EQ(record.attempts, 1u);
  EXPECT_EQ(record.source, stats::AcquireSource::New);
  EXPECT_FALSE(record.reused);
  EXPECT_EQ(record.connect_time, Duration(30ms));
  EXPECT_EQ(record.queue_wait, std::nullopt);
  EXPECT_EQ(record.header_time, Duration(200ms));
}

TEST_F(ExchangeTest, DescribesAReusedConnection) {
  apply();
  warm_up();
  Call& call = get();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.source, stats::AcquireSource::Idle);
  EXPECT_TRUE(record.reused);
  EXPECT_EQ(record.connect_time, std::nullopt);
  EXPECT_EQ(record.queue_wait, std::nullopt);
}

TEST_F(ExchangeTest, DescribesAWait) {
  pool().max_connections = 1;
  apply();
  get("/1");
  Call& call = get("/2");
  accept();
  pass(300ms);
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  say(0, "HTTP/1.1 204 No Content\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.source, stats::AcquireSource::Queue);
  EXPECT_EQ(record.queue_wait, Duration(300ms));
  EXPECT_EQ(record.connect_time, std::nullopt);
}

TEST_F(ExchangeTest, DescribesARequestThatNeverGotThere) {
  config.routes.front().host = "other.test";
  apply();
  Call& call = get("/x");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.target, "/x");
  EXPECT_EQ(record.reason, CloseReason::NoRoute);
  EXPECT_EQ(record.upstream, "");
  EXPECT_EQ(record.attempts, 0u);
}

TEST_F(ExchangeTest, CountsEveryServerThatItTried) {
  settings().servers = {{"10.0.0.1:3000"}, {"10.0.0.2:3000"}};
  apply();
  Call& call = get();
  refuse(0);
  accept(1);
  say(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.attempts, 2u);
  EXPECT_EQ(record.server, server(1).address.to_string());
  EXPECT_EQ(record.reason, CloseReason::None) << "it came to a good end";
}

TEST_F(ExchangeTest, TheFirstFailureIsTheOneThatIsLogged) {
  apply();
  Call& call = get();
  call.exchange.set_failure(CloseReason::ClientReset);
  call.exchange.set_failure(CloseReason::ClientAborted);
  AccessRecord record;
  call.exchange.describe(record);
  EXPECT_EQ(record.reason, CloseReason::ClientReset);
}

// --- Reload

TEST_F(ExchangeTest, ARequestKeepsTheRoutesThatItBeganWith) {
  config.routes.front().response_headers.set = {{"X-Version", "old"}};
  apply();
  Call& call = get();
  config.routes.front().response_headers.set = {{"X-Version", "new"}};
  apply();
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.rules->set.front().second, "old");
  Call& next = get();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(next.client.rules->set.front().second, "new");
}

}  // namespace
}  // namespace berth::exchange
