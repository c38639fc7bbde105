#include "proxy/client/http2_connection.h"

#include <gtest/gtest.h>

#include "proxy/net/websocket_accept.h"
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

TEST_F(Http2ConnectionTest, ARequestRightBehindThePreface) {
  connect(hello() + headers(1, wire::get("/first?x=1")));
  accept();
  EXPECT_TRUE(heard().starts_with("GET /first?x=1 HTTP/1.1\r\nhost: app.test\r\n"));
  EXPECT_EQ(heard_frames().front().type, Http2Frame::Settings);
  EXPECT_EQ(now_in(stats::ClientState::Active), 1);
  say(0, kOk);
  EXPECT_TRUE(response(1).starts_with(":status=200;content-length=2;date=")) << response(1);
  EXPECT_EQ(content(1), "ok");
  EXPECT_EQ(now_in(stats::ClientState::Idle), 1);
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].protocol, "HTTP/2");
  EXPECT_EQ(log.lines[0].client, "192.0.2.7:50000");
}

TEST_F(Http2ConnectionTest, OverTlsTheClientHearsOfHsts) {
  listener_settings().hsts.enabled = true;
  connect_over_tls(hello() + headers(1, wire::get()));
  accept();
  EXPECT_NE(heard().find("X-Forwarded-Proto: https\r\n"), std::string::npos);
  say(0, kOk);
  EXPECT_NE(response(1).find("strict-transport-security=max-age="), std::string::npos);
}

TEST_F(Http2ConnectionTest, WithoutTlsItDoesNot) {
  listener_settings().hsts.enabled = true;
  connect(hello() + headers(1, wire::get()));
  accept();
  EXPECT_NE(heard().find("X-Forwarded-Proto: http\r\n"), std::string::npos);
  say(0, kOk);
  EXPECT_EQ(response(1).find("strict-transport-security"), std::string::npos);
}

TEST_F(Http2ConnectionTest, SettingsThatAreNeverAcknowledged) {
  connect(std::string(http::kHttp2Preface) + wire::settings());
  pass(listener_settings().header_timeout + 1ms);
  EXPECT_EQ(goaway_error(), 4);
  EXPECT_EQ(closed(CloseReason::SettingsTimeout), 1u);
}

TEST_F(Http2ConnectionTest, AHeaderBlockThatDoesNotEnd) {
  connect(hello() + headers(1, wire::get(), kEndStream));
  pass(listener_settings().header_timeout + 1ms);
  EXPECT_TRUE(client().closed);
  EXPECT_EQ(closed(CloseReason::HeaderTimeout), 1u);
}

// --- How it ends.

TEST_F(Http2ConnectionTest, GoawayInTwoSteps) {
  connect(hello() + headers(1, wire::get()));
  accept();
  say(0, kOk);
  listener().drain();
  end_turn();
  const wire::Frame* goaway = find(Http2Frame::Goaway, 0);
  ASSERT_NE(goaway, nullptr);
  EXPECT_EQ(goaway->number_at(0), 0x7fffffffu);
  EXPECT_EQ(count(Http2Frame::Ping, 0), 1u);
  // Sent before the client had heard it.
  send(headers(3, wire::get()));
  say(0, kOk);
  EXPECT_EQ(content(3), "ok");
  EXPECT_FALSE(client().proxy_fin);
  send(ping(kAck));
  ASSERT_EQ(count(Http2Frame::Goaway, 0), 2u);
  uint32_t last = 0;
  for (const wire::Frame& frame : heard_frames()) {
    if (frame.type == Http2Frame::Goaway) last = frame.number_at(0);
  }
  EXPECT_EQ(last, 3u);
  EXPECT_TRUE(client().proxy_fin);
  shut_down_sending();
  EXPECT_EQ(closed(CloseReason::Shutdown), 1u);
}

TEST_F(Http2ConnectionTest, AClientThatAnswersNoPing) {
  connect(hello() + headers(1, wire::get()));
  accept();
  say(0, kOk);
  listener().drain();
  end_turn();
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 1u);
  pass(1100ms);
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 2u);
  pass(2100ms);
  EXPECT_TRUE(client().closed);
  EXPECT_EQ(closed(CloseReason::Shutdown), 1u);
}

TEST_F(Http2ConnectionTest, AnIdleOneIsClosedInTheEnd) {
  connect(hello() + headers(1, wire::get()));
  accept();
  say(0, kOk);
  pass(listener_settings().keepalive_timeout + 1ms);
  EXPECT_EQ(goaway_error(), 0);
  EXPECT_EQ(closed(CloseReason::KeepaliveTimeout), 1u);
}

TEST_F(Http2ConnectionTest, AfterItsRequestsItWaitsForAPauseOfASecond) {
  listener_settings().keepalive_requests = 1;
  connect(hello() + headers(1, wire::get()));
  accept(0);
  say(0, kOk);
  pass(999ms);
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 0u);
  send(headers(3, wire::get()));
  pass(2s);
  say(0, kOk);
  EXPECT_EQ(content(1) + content(3), "okok");
  pass(999ms);
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 0u);
  pass(2ms);
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 1u);
  shut_down_sending();
  EXPECT_EQ(closed(CloseReason::KeepaliveRequests), 1u);
}

TEST_F(Http2ConnectionTest, AMinuteAfterItsRequestsItEndsAlsoWithoutAPause) {
  listener_settings().keepalive_requests = 1;
  connect(hello() + headers(1, wire::get()));
  accept();
  say(0, kOk);
  uint32_t stream = 1;
  for (Duration passed = 900ms; passed < 60s; passed += 900ms) {
    pass(900ms);
    send(headers(stream += 2, wire::get()));
    say(0, kOk);
    ASSERT_EQ(content(stream), "ok") << stream;
  }
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 0u);
  pass(900ms);
  send(headers(stream += 2, wire::get()));
  EXPECT_EQ(count(Http2Frame::Goaway, 0), 1u);
  send(ping(kAck));
  say(0, kOk);
  EXPECT_EQ(content(stream), "ok");
  shut_down_sending();
  EXPECT_EQ(closed(CloseReason::KeepaliveRequests), 1u);
}

TEST_F(Http2ConnectionTest, AClientThatLeavesInTheMiddle) {
  connect(hello() + headers(1, wire::get()));
  accept();
  shut_down_sending();
  EXPECT_TRUE(client().closed);
  EXPECT_EQ(closed(CloseReason::ClientAborted), 1u);
  EXPECT_TRUE(server().closed);
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].status, 499);
}

// --- What clients send.

TEST_F(Http2ConnectionTest, RequestTrailers) {
  connect(hello() + headers(1, post(), kEndHeaders) + data(1, "hello") +
          headers(1, {{"x-sum", "5"}}));
  accept();
  EXPECT_EQ(heard_body(), "5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n");
  say(0, kOk);
  EXPECT_EQ(content(1), "ok");
}

TEST_F(Http2ConnectionTest, ABodyThatIsAnnouncedTooLarge) {
  listener_settings().max_body = 4;
  connect(hello() + headers(1, post({{"content-length", "5"}}), kEndHeaders));
  EXPECT_EQ(connections(), 0u);
  EXPECT_TRUE(response(1).starts_with(":status=413;"));
  EXPECT_EQ(refused(CloseReason::BodyTooLarge), 1u);
  EXPECT_FALSE(client().closed);
}

TEST_F(Http2ConnectionTest, ABodyThatTurnsOutTooLarge) {
  listener_settings().max_body = 4;
  connect(hello() + headers(1, post(), kEndHeaders) + data(1, "1234"));
  EXPECT_EQ(response(1), "");
  send(data(1, "5"));
  EXPECT_TRUE(response(1).starts_with(":status=413;"));
  EXPECT_EQ(refused(CloseReason::BodyTooLarge), 1u);
}

TEST_F(Http2ConnectionTest, ABodyThatDoesNotCome) {
  connect(hello() + headers(1, post({{"content-length", "5"}}), kEndHeaders) + data(1, "12"));
  pass(listener_settings().body_timeout + 2ms);
  EXPECT_TRUE(response(1).starts_with(":status=408;"));
  EXPECT_FALSE(client().closed);
}

// --- Tunnels (RFC 8441).

Fields websocket() {
  return {{":method", "CONNECT"},     {":protocol", "websocket"}, {":scheme", "http"},
          {":authority", "app.test"}, {":path", "/chat"},         {"sec-websocket-version", "13"}};
}

// The answer to the request that the server has heard.
std::string switching(std::string_view heard) {
  constexpr std::string_view kKey = "sec-websocket-key: ";
  const size_t key = heard.find(kKey);
  if (key == std::string_view::npos) return {};
  heard.remove_prefix(key + kKey.size());
  return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Accept: " +
         net::websocket_accept(heard.substr(0, heard.find('\r'))) +
         "\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
}

TEST_F(Http2ConnectionTest, ATunnelsBytesDoNotOvertakeThoseThatCameBeforeItStood) {
  connect(hello() + headers(1, websocket(), kEndHeaders));
  accept();
  const std::string answer = switching(heard());
  send(data(1, "one "));
  EXPECT_EQ(heard(), "");
  // Both in one turn: the server's answer, and more from the client.
  say_in_this_turn(0, answer);
  send_in_this_turn(data(1, "two "));
  send_in_this_turn(data(1, "three", kEndStream));
  end_turn();
  EXPECT_EQ(heard(), "one two three");
  EXPECT_TRUE(server().proxy_fin);
}

// A tunnel whose server takes three bytes more for now.
class Http2TunnelTest : public Http2ConnectionTest {
 protected:
  void open_tunnel() {
    connect(hello() + headers(1, websocket(), kEndHeaders));
    accept();
    say(0, switching(heard()));
    heard();
    server().lets_go = false;
    server().room = 3;
  }
  void read_on() {
    server().room = SIZE_MAX;
    ready(0, {.writable = true});
  }
};

TEST_F(Http2TunnelTest, TheServerMayEndItsSideFirst) {
  open_tunnel();
  hang_up(0);
  EXPECT_EQ(reset_error(1), -1);
  send(data(1, "and more", kEndStream));
  EXPECT_EQ(reset_error(1), -1);
  read_on();
  EXPECT_EQ(heard(), "and more");
}

TEST_F(Http2TunnelTest, WhatAClientHasSaidIsDeliveredWhenItIsGone) {
  open_tunnel();
  hang_up(0);
  send(data(1, "the last words", kEndStream));
  shut_down_sending();
  EXPECT_TRUE(client().closed);
  EXPECT_EQ(heard(), "the");
  EXPECT_FALSE(server().closed);
  read_on();
  EXPECT_EQ(heard(), " last words");
  EXPECT_TRUE(server().closed);
  EXPECT_FALSE(server().aborted);
}

TEST_F(Http2TunnelTest, AlsoToAServerThatHasNotEnded) {
  open_tunnel();
  send(data(1, "the last words", kEndStream));
  shut_down_sending();
  EXPECT_FALSE(server().proxy_fin);
  read_on();
  EXPECT_EQ(heard(), "the last words");
  EXPECT_TRUE(server().proxy_fin);
  hang_up(0);
  EXPECT_TRUE(server().closed);
}

TEST_F(Http2TunnelTest, AConnectionThatDrainsEndsWithItsLastTunnel) {
  open_tunnel();
  listener().drain();
  send(ping(kAck));
  hang_up(0);
  send(data(1, "the last words", kEndStream));
  EXPECT_TRUE(client().proxy_fin);
  read_on();
  EXPECT_EQ(heard(), "the last words");
}

TEST_F(Http2TunnelTest, WhatCameBeforeItStoodIsDeliveredThoughBothEndAtOnce) {
  connect(hello() + headers(1, websocket(), kEndHeaders) + data(1, "early", kEndStream));
  accept();
  server().fin = true;
  say(0, switching(heard()));
  EXPECT_EQ(heard(), "early");
}

TEST_F(Http2TunnelTest, WhoDoesNotEndItsSideIsNotWaitedFor) {
  open_tunnel();
  send(data(1, "the last words"));
  send(rst(1));
  EXPECT_TRUE(server().proxy_fin);
  read_on();
  EXPECT_EQ(heard(), "the");
}

// Every 2xx would open the tunnel for the client (RFC 8441 section 5).
TEST_F(Http2TunnelTest, AServerThatAnswersLikeAPageHasNotUpgraded) {
  connect(hello() + headers(1, websocket(), kEndHeaders));
  accept();
  say(0, kOk);
  EXPECT_NE(response(1).find(":status=502;"), std::string::npos);
  EXPECT_NE(response(1).find("not_upgraded"), std::string::npos);
  EXPECT_EQ(refused(CloseReason::NotUpgraded), 1u);
}

TEST_F(Http2TunnelTest, WhatItRefusesComesThrough) {
  connect(hello() + headers(1, websocket(), kEndHeaders));
  accept();
  say(0, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_TRUE(response(1).starts_with(":status=403;"));
  EXPECT_EQ(content(1), "no");
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
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: today\r\nX-Long: 0123456789\r\n\r\nok");
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].sent, size_of("content-length=2;date=today;x-long=0123456789;") + 2);
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
  say(0, switching(heard()) + "hello");
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

TEST_F(Http2ConnectionTest, AClientThatTakesNothing) {
  connect(hello() + headers(1, wire::get()));
  accept();
  client().room = 0;
  say(0, kOk);
  pass(listener_settings().send_timeout / 2);
  EXPECT_FALSE(client().closed);
  pass(listener_settings().send_timeout / 2 + 2ms);
  EXPECT_TRUE(client().closed);
  EXPECT_EQ(closed(CloseReason::SendTimeout), 1u);
}

TEST_F(Http2ConnectionTest, AStreamWhoseWindowStaysShutIsResetAlone) {
  connect(std::string(http::kHttp2Preface) + wire::settings({{4, 1}}) + settings_ack() +
          headers(1, wire::get()));
  accept();
  say(0, kOk);
  EXPECT_EQ(content(1), "o");
  pass(listener_settings().send_timeout + 2ms);
  EXPECT_EQ(reset_error(1), 8);
  EXPECT_FALSE(client().closed);
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_EQ(log.lines[0].reason, CloseReason::SendTimeout);
}

}  // namespace
}  // namespace berth::client
