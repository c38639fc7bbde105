// One HTTP/1 connection of a client: what it does between, before and after its requests.
#include "proxy/client/client_connection.h"

#include "tests/unit/client/client_in_memory.h"

namespace berth::client {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ClientConnectionTest : public ClientInMemory {
 protected:
  // What the client has been sent since the last time.
  std::string hear() { return std::exchange(client().received, {}); }
  // A connection to the server is there, and answers.
  void answer(std::string_view bytes = kOk) {
    if (!server().connected) accept();
    say(0, std::string(bytes));
  }
  bool is_closed() { return client().closed; }
};

TEST_F(ClientConnectionTest, IsKeptFromOneRequestToTheNext) {
  connect(kGet);
  EXPECT_EQ(now_in(stats::ClientState::Active), 1);
  answer();
  EXPECT_TRUE(hear().starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(now_in(stats::ClientState::Idle), 1);
  send(kGet);
  answer();
  EXPECT_TRUE(hear().ends_with("\r\n\r\nok"));
  EXPECT_FALSE(is_closed());
  ASSERT_EQ(log.lines.size(), 2u);
  EXPECT_EQ(log.lines[1].protocol, "HTTP/1.1");
}

TEST_F(ClientConnectionTest, AHeadMayComeInPieces) {
  connect("GET / HT");
  EXPECT_EQ(now_in(stats::ClientState::Reading), 1);
  EXPECT_EQ(connections(), 0u);
  send("TP/1.1\r\nHost: app.test\r\n");
  EXPECT_EQ(connections(), 0u);
  send("\r\n");
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(now_in(stats::ClientState::Active), 1);
}

TEST_F(ClientConnectionTest, RequestsThatComeTogetherAreAnsweredInTheirOrder) {
  connect(std::string(kGet) + "GET /second HTTP/1.1\r\nHost: app.test\r\n\r\n");
  accept();
  EXPECT_TRUE(heard().starts_with("GET / "));
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
  end_turn();
  EXPECT_TRUE(heard().starts_with("GET /second "));
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
  const std::string all = hear();
  EXPECT_LT(all.find("\r\n\r\n1"), all.find("\r\n\r\n2"));
}

TEST_F(ClientConnectionTest, ClosesAfterConnectionClose) {
  connect("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
  answer();
  EXPECT_NE(hear().find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(is_closed());
  EXPECT_FALSE(client().aborted);
  EXPECT_EQ(closed(CloseReason::CloseRequested), 1u);
}

TEST_F(ClientConnectionTest, Http10IsClosedUnlessItAsks) {
  connect("GET / HTTP/1.0\r\n\r\n");
  answer();
  EXPECT_TRUE(is_closed());
  EXPECT_EQ(closed(CloseReason::Http10), 1u);
  connect("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  answer();
  EXPECT_FALSE(is_closed());
}

TEST_F(ClientConnectionTest, IsClosedAfterKeepaliveTimeout) {
  listener_settings().keepalive_timeout = 5s;
  connect(kGet);
  answer();
  pass(4900ms);
  EXPECT_FALSE(is_closed());
  pass(200ms);
  EXPECT_TRUE(is_closed());
  EXPECT_EQ(closed(CloseReason::KeepaliveTimeout), 1u);
}

TEST_F(ClientConnectionTest, AHeadThatDoesNotComeIsAnswered408) {
  listener_settings().header_timeout = 5s;
  connect("GET / HTTP/1.1\r\n");
  pass(5100ms);
  EXPECT_TRUE(hear().starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(refused(CloseReason::HeaderTimeout), 1u);
  EXPECT_EQ(connections(), 0u);
}

// A request that takes long is the server's to end: no timer of the client's runs meanwhile.
TEST_F(ClientConnectionTest, NoTimeoutOfItsOwnEndsARequestUnderWay) {
  listener_settings().keepalive_timeout = 1s;
  listener_settings().header_timeout = 1s;
  settings().response_timeout = 0s + std::chrono::hours(30);
  connect(kGet);
  accept();
  pass(std::chrono::hours(29));
  EXPECT_FALSE(is_closed());
  say(0, std::string(kOk));
  EXPECT_TRUE(hear().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ClientConnectionTest, NonsenseIsRefusedAndRead) {
  connect("GET / HTTP/1.1\r\nHost: app.test\r\nbad field: x\r\n\r\n");
  EXPECT_TRUE(hear().starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(refused(CloseReason::BadHeaderName), 1u);
  EXPECT_TRUE(client().proxy_fin);  // and what still comes is thrown away
  EXPECT_FALSE(is_closed());
  client().fin = true;
  client_ready({.readable = true, .peer_closed = true});
  EXPECT_TRUE(is_closed());
  EXPECT_EQ(closed(CloseReason::BadHeaderName), 1u);
}

TEST_F(ClientConnectionTest, AClientThatLeavesCancelsItsRequest) {
  connect(kGet);
  accept();
  client().rst = true;
  client_ready({.readable = true, .peer_closed = true});
  EXPECT_TRUE(is_closed());
  EXPECT_EQ(closed(CloseReason::ClientReset), 1u);
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].status, 499);
}

TEST_F(ClientConnectionTest, AResponseThatBreaksOffDoesNotLookWhole) {
  connect(kGet);
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  server().rst = true;
  server().handler->on_ready({.readable = true, .peer_closed = true});
  end_turn();
  EXPECT_TRUE(hear().ends_with("half"));
  // Content-Length shows it: FIN, as from the server, and not RST.
  EXPECT_TRUE(client().proxy_fin);
  EXPECT_FALSE(client().aborted);
  client().fin = true;
  client_ready({.readable = true, .peer_closed = true});
  EXPECT_EQ(closed(CloseReason::ResponseAborted), 1u);
}

TEST_F(ClientConnectionTest, ABodyUntilCloseThatBreaksOffIsReset) {
  connect("GET / HTTP/1.0\r\n\r\n");
  accept();
  say(0, "HTTP/1.1 200 OK\r\n\r\nhalf");
  server().rst = true;
  server().handler->on_ready({.readable = true, .peer_closed = true});
  end_turn();
  EXPECT_TRUE(client().aborted);
  EXPECT_TRUE(is_closed());
}

// What the client does not take at once goes out as it takes it, and the next request waits.
TEST_F(ClientConnectionTest, ASlowReaderGetsAllOfIt) {
  connect(kGet);
  accept();
  client().room = 10;
  say(0, std::string(kOk));
  EXPECT_EQ(hear().size(), 10u);
  EXPECT_EQ(now_in(stats::ClientState::Writing), 1);
  take(SIZE_MAX);
  EXPECT_TRUE(hear().ends_with("ok"));
  EXPECT_EQ(now_in(stats::ClientState::Idle), 1);
}

TEST_F(ClientConnectionTest, AReaderThatTakesNothingIsClosedAfterSendTimeout) {
  listener_settings().send_timeout = 10s;
  connect(kGet);
  accept();
  client().room = 10;
  say(0, std::string(kOk));
  for (int i = 0; i < 11; ++i) pass(1s);
  EXPECT_TRUE(is_closed());
  EXPECT_EQ(closed(CloseReason::SendTimeout), 1u);
}

// Both halves of a tunnel end by themselves; a FIN that is read twice is one.
TEST_F(ClientConnectionTest, ATunnelEndsWithItsSecondHalf) {
  connect("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  accept();
  say(0, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
  EXPECT_EQ(now_in(stats::ClientState::Upgraded), 1);
  heard();
  send("ping");
  EXPECT_EQ(heard(), "ping");
  shut_down_sending();
  shut_down_sending();
  EXPECT_TRUE(server().proxy_fin);
  EXPECT_FALSE(is_closed());
  hear();
  say(0, "pong");
  EXPECT_EQ(hear(), "pong");
  server().fin = true;
  server().handler->on_ready({.readable = true, .peer_closed = true});
  end_turn();
  EXPECT_TRUE(is_closed());
  EXPECT_EQ(closed(CloseReason::UpgradeFinished), 1u);
}

}  // namespace
}  // namespace berth::client
