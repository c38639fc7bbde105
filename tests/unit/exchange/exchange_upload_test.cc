// The request's body on its way to the server.
#include "tests/unit/exchange/exchange_fixture.h"

namespace berth::exchange {
namespace {

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

}  // namespace
}  // namespace berth::exchange
