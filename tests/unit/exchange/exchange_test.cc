#include "tests/unit/exchange/exchange_fixture.h"

namespace berth::exchange {
namespace {

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

// An HTTP/2 stream may end while the head of its answer is sent.
TEST_F(ExchangeTest, AClientThatIsGoneWhenTheHeadIsSent) {
  apply();
  for (const char* response : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                               "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"}) {
    Call& call = get();
    accept(connections() - 1);
    call.client.not_taken = SIZE_MAX;
    call.client.on_head = [&call] { call.exchange.cancel(); };
    say(connections() - 1, response);
    EXPECT_EQ(call.client.heads, 1);
    EXPECT_FALSE(call.exchange.holds_connection());
  }
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
