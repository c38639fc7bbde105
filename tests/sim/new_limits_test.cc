// New limits reach the connections that are there, on both sides: each is seen at the other end.
#include <gtest/gtest.h>

#include <functional>

#include "tests/sim/stage.h"

namespace berth::sim {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
constexpr std::string_view kHalfAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi";
constexpr std::string_view kHttp2Preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x4\0\0\0\0\0", 33);

class NewLimits : public testing::Test {
 protected:
  NewLimits() {
    config::Listener& listener = stage.listener();
    listener.http2.cleartext = true;
    listener.keepalive_timeout = 20s;
    listener.header_timeout = listener.body_timeout = 20s;
    config::Upstream& upstream = stage.upstream();
    upstream.pool.keepalive_timeout = 20s;
    upstream.connect_timeout = upstream.response_timeout = upstream.idle_timeout = 20s;
    upstream.retry.attempts = 1;
  }

  // A client that has asked once and been answered; its connection and the server's lie idle.
  Stage::Peer idle_client() {
    stage.stand_at_once();
    auto client = stage.call();
    client.say(kGet);
    stage.settle();
    stage.server(0).say(kAnswer);
    stage.settle();
    EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 200"));
    return client;
  }

  void reload() {
    stage.apply();
    stage.settle();
    stage.pass(5ms);  // timers fire up to a tick late
  }

  Stage stage;
};

// --- Clients

TEST_F(NewLimits, AnIdleClientIsMeasuredByTheNewTimeoutFromWhenItBecameIdle) {
  stage.apply();
  auto client = idle_client();
  stage.pass(3s);
  stage.listener().keepalive_timeout = 5s;
  reload();
  stage.pass(1s);
  EXPECT_FALSE(client.hung_up());
  stage.pass(1s);
  EXPECT_TRUE(client.hung_up());
}

TEST_F(NewLimits, AnIdleClientThatIsLateAlreadyGoesAtOnce) {
  stage.apply();
  auto client = idle_client();
  auto silent = stage.call();
  auto http2 = stage.call();
  http2.say(kHttp2Preface);
  stage.pass(3s);
  stage.listener().keepalive_timeout = 1s;
  reload();
  EXPECT_TRUE(client.hung_up());
  EXPECT_TRUE(silent.hung_up());
  EXPECT_TRUE(http2.hung_up());
}

TEST_F(NewLimits, AnIdleClientMayStayLonger) {
  stage.apply();
  auto client = idle_client();
  stage.pass(3s);
  stage.listener().keepalive_timeout = 60s;
  reload();
  stage.pass(50s);
  EXPECT_FALSE(client.hung_up());
  stage.pass(10s);
  EXPECT_TRUE(client.hung_up());
}

TEST_F(NewLimits, TooManyClientsLoseThoseThatAreIdle) {
  stage.apply();
  auto first = stage.call();
  auto second = stage.call();
  stage.listener().max_connections = 1;
  reload();
  EXPECT_TRUE(first.hung_up());
  EXPECT_FALSE(second.hung_up());
}

TEST_F(NewLimits, AnHttp2ConnectionThatHasHadItsTimeEndsInAPause) {
  stage.apply();
  stage.stand_at_once();
  auto client = stage.call();
  constexpr std::string_view kRequest(
      "\0\0\x6\x1\x5\0\0\0\x1\x82\x84\x86\x41\x01"
      "a",
      15);
  client.say(std::string(kHttp2Preface) + std::string(kRequest));
  stage.settle();
  stage.server(0).say(kAnswer);
  stage.pass(3s);
  stage.listener().keepalive_time = 2s;
  reload();
  client.hear();
  stage.pass(1100ms);
  EXPECT_NE(client.hear().find(std::string_view("\0\0\x8\x7\0", 5)), std::string::npos) << "GOAWAY";
}

// What a client that is late with this hears, before and after its limit is lowered.
struct Late {
  std::string_view says;
  Duration config::Listener::*limit;
  std::string_view hears;
};

TEST_F(NewLimits, AClientThatIsAwaitedIsMeasuredByTheNewTimeout) {
  for (const Late& late :
       {Late{"GET / HTTP/1.1\r\n", &config::Listener::header_timeout, "HTTP/1.1 408"},
        Late{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
             &config::Listener::body_timeout, "HTTP/1.1 408"}}) {
    stage.listener().*late.limit = 20s;
    stage.apply();
    auto client = stage.call();
    client.say(late.says);
    stage.pass(3s);
    EXPECT_EQ(client.hear(), "");
    stage.listener().*late.limit = 5s;
    reload();
    stage.pass(1s);
    EXPECT_EQ(client.hear(), "");
    stage.pass(1s);
    EXPECT_TRUE(client.hear().starts_with(late.hears)) << late.says;
  }
}

TEST_F(NewLimits, AnHttp2RequestThatIsAwaitedIsMeasuredByTheNewTimeout) {
  stage.apply();
  auto client = stage.call();
  constexpr std::string_view kPost(
      "\0\0\x6\x1\x4\0\0\0\x1\x83\x84\x86\x41\x01"
      "a",
      15);
  client.say(std::string(kHttp2Preface) + std::string(kPost));
  stage.pass(3s);
  client.hear();
  stage.listener().body_timeout = 5s;
  reload();
  stage.pass(1s);
  EXPECT_EQ(client.hear(), "");
  stage.pass(1s);
  EXPECT_NE(client.hear(), "");
}

// --- Servers

TEST_F(NewLimits, AnIdleServerConnectionIsMeasuredByTheNewTimeoutFromWhenItBecameIdle) {
  stage.apply();
  idle_client();
  stage.pass(3s);
  stage.upstream().pool.keepalive_timeout = 5s;
  reload();
  stage.pass(1s);
  EXPECT_FALSE(stage.server(0).hung_up());
  stage.pass(1s);
  EXPECT_TRUE(stage.server(0).hung_up());
}

TEST_F(NewLimits, WhatAServerAnnouncedIsCapped) {
  stage.upstream().pool.keepalive_timeout = std::nullopt;
  stage.apply();
  stage.stand_at_once();
  stage.call().say(kGet);
  stage.settle();
  stage.server(0).say("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=60\r\nContent-Length: 0\r\n\r\n");
  stage.pass(10s);
  EXPECT_FALSE(stage.server(0).hung_up());
  stage.upstream().pool.keepalive_timeout = 12s;
  reload();
  EXPECT_FALSE(stage.server(0).hung_up());
  stage.pass(3s);
  EXPECT_TRUE(stage.server(0).hung_up());
}

TEST_F(NewLimits, AnIdleServerConnectionBeyondALimitGoesAtOnce) {
  const std::vector<std::function<void(config::Upstream&)>> changes = {
      [](config::Upstream& u) { u.pool.keepalive_timeout = 1s; },
      [](config::Upstream& u) { u.pool.keepalive_requests = 1; },
      [](config::Upstream& u) { u.pool.keepalive_time = 1s; },
      [](config::Upstream& u) { u.proxy_protocol = config::ProxyProtocol::V1; },
  };
  const config::Upstream usual = stage.upstream();
  for (size_t i = 0; i < changes.size(); ++i) {
    stage.upstream() = usual;
    stage.apply();
    stage.stand_at_once();
    auto client = stage.call();
    client.say(kGet);
    stage.settle();
    ASSERT_EQ(stage.dialled(), i + 1) << "none is left of the one before";
    stage.server(i).say(kAnswer);
    stage.pass(3s);
    EXPECT_FALSE(stage.server(i).hung_up()) << i;
    changes[i](stage.upstream());
    reload();
    EXPECT_TRUE(stage.server(i).hung_up()) << i;
  }
}

TEST_F(NewLimits, ABusyServerConnectionIsMeasuredByTheNewTimeout) {
  struct Case {
    std::string_view so_far;  // of the answer
    Duration config::Upstream::*limit;
  };
  size_t dialled = 0;
  for (const Case& one : {Case{"", &config::Upstream::response_timeout},
                          Case{kHalfAnswer, &config::Upstream::idle_timeout}}) {
    stage.upstream().*one.limit = 20s;
    stage.apply();
    stage.stand_at_once();
    stage.call().say(kGet);
    stage.settle();
    ASSERT_EQ(stage.dialled(), ++dialled);
    auto server = stage.server(dialled - 1);
    server.say(one.so_far);
    stage.pass(3s);
    stage.upstream().*one.limit = 5s;
    reload();
    stage.pass(1s);
    EXPECT_FALSE(server.hung_up());
    stage.pass(1s);
    EXPECT_TRUE(server.hung_up());
  }
}

TEST_F(NewLimits, AServerThatDoesNotAcceptIsMeasuredByTheNewTimeout) {
  stage.apply();
  auto client = stage.call();
  client.say(kGet);
  stage.pass(3s);
  stage.upstream().connect_timeout = 5s;
  reload();
  stage.pass(1s);
  EXPECT_EQ(client.hear(), "");
  stage.pass(1s);
  EXPECT_TRUE(client.hear().starts_with("HTTP/1.1 504"));
}

}  // namespace
}  // namespace berth::sim
