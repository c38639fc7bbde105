#include "proxy/client/http2_connection.h"

#include <gtest/gtest.h>

#include "tests/unit/client/http2_client.h"

namespace berth::client {
namespace {

using namespace wire;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class Http2ConnectionTest : public Http2Client {};

// --- How it begins.

TEST_F(Http2ConnectionTest, AFullReadBehindHalfOfAPreface) {
  settings().request_buffer = 1024 * 1024;
  const std::string all = hello() + headers(1, post(), kEndHeaders);
  connect(all.substr(0, 15));
  EXPECT_EQ(heard_frames().size(), 0u);
  std::string rest = all.substr(15);
  std::string body;
  while (rest.size() + 9 < net::Scratch::kSize) {
    const size_t room = net::Scratch::kSize - rest.size() - 9;
    const std::string part(std::min<size_t>(room, 16 * 1024),
                           static_cast<char>('a' + body.size() % 23));
    rest += data(1, part);
    body += part;
  }
  ASSERT_EQ(rest.size(), net::Scratch::kSize);
  send(rest);
  send(data(1, "end", kEndStream));
  accept();
  const std::string chunked = heard_body();
  EXPECT_NE(chunked.find(body + "end"), std::string::npos);
  say(0, kOk);
  EXPECT_EQ(content(1), "ok");
}

TEST_F(Http2ConnectionTest, OneThatBeginsWhileItsListenerDrainsIsDrainedToo) {
  connect(hello().substr(0, 10));
  listener().drain();
  send(hello().substr(10) + headers(1, wire::get()));
  EXPECT_EQ(goaway_error(), 0);
  send(ping(kAck));
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 2u);
  accept();
  say(0, kOk);
  EXPECT_EQ(content(1), "ok");
  shut_down_sending();
  EXPECT_TRUE(client().closed);
  EXPECT_EQ(closed(CloseReason::Shutdown), 1u);
}

TEST_F(Http2ConnectionTest, OneWhoseListenerDrainedBeforeItsFirstByte) {
  connect("");
  listener().drain();
  send(hello());
  EXPECT_EQ(goaway_error(), 0);
  pass(1100ms);
  EXPECT_TRUE(client().closed);
}

// --- Tunnels (RFC 8441).

Fields websocket() {
  return {{":method", "CONNECT"},     {":protocol", "websocket"}, {":scheme", "http"},
          {":authority", "app.test"}, {":path", "/chat"},         {"sec-websocket-version", "13"}};
}

constexpr std::string_view kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Protocol: chat\r\n\r\n";

TEST_F(Http2ConnectionTest, ATunnelsBytesDoNotOvertakeThoseThatCameBeforeItStood) {
  connect(hello() + headers(1, websocket(), kEndHeaders));
  accept();
  heard();
  send(data(1, "one "));
  EXPECT_EQ(heard(), "");
  // Both in one turn: the server's answer, and more from the client.
  say_in_this_turn(0, kSwitching);
  send_in_this_turn(data(1, "two "));
  send_in_this_turn(data(1, "three", kEndStream));
  end_turn();
  EXPECT_EQ(heard(), "one two three");
  EXPECT_TRUE(server().proxy_fin);
}

// --- What is logged.

// Of "name=value;" for each field, without the status.
uint64_t size_of(std::string_view fields) {
  uint64_t size = 0;
  while (!fields.empty()) {
    size_t end = fields.find(';');
    while (fields.substr(end).starts_with("; ")) end = fields.find(';', end + 1);
    if (!fields.starts_with(":status=")) size += end - 1;
    fields.remove_prefix(end + 1);
  }
  return size;
}

TEST_F(Http2ConnectionTest, TheLogCountsTheHead) {
  connect(hello() + headers(1, wire::get()));
  accept();
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Long: 0123456789\r\n\r\nok");
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].sent, size_of("content-length=2;x-long=0123456789;") + 2);
}

TEST_F(Http2ConnectionTest, TheLogCountsTheHeadOfALocalAnswer) {
  connect(hello() + headers(1, wire::get()));
  refuse(0);
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].status, 502);
  EXPECT_NE(response(1).find(":status=502;"), std::string::npos);
  EXPECT_EQ(log.lines[0].sent, size_of(response(1)) + content(1).size());
}

TEST_F(Http2ConnectionTest, TheLogCountsTheHeadOfATunnel) {
  connect(hello() + headers(1, websocket(), kEndHeaders));
  accept();
  say(0, std::string(kSwitching) + "hello");
  EXPECT_EQ(content(1), "hello");
  send(rst(1));
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].status, 200);
  EXPECT_EQ(log.lines[0].sent, size_of(response(1)) + 5);
}

// --- Slow clients.

TEST_F(Http2ConnectionTest, TheKernelIsAskedOnlyAboutAClientThatIsSlow) {
  connect(hello() + window_update(0, 1 << 20) + headers(1, wire::get()) +
          window_update(1, 1 << 20));
  accept();
  client().room = 0;
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(50000, 'x'));
  say(0, std::string(50000, 'x'));
  for (int i = 0; i < 4; ++i) {
    take(30'000);
    pass(1s);
  }
  EXPECT_EQ(content(1).size(), 100'000u);
  EXPECT_EQ(client().asked_for_acked, 0);
}

}  // namespace
}  // namespace berth::client
