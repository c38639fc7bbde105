// A connection that Berth closes keeps its slot until the server has let go.
#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class DrainingTest : public ProxyInMemory {
 protected:
  DrainingTest() { pool().max_connections = 1; }

  // A request that its client gives up, on a connection that the server holds on to.
  void give_up_one() {
    apply();
    Call& left = get();
    accept(0);
    server(0).lets_go = false;
    drop(left);
  }
  int64_t gauge(stats::UpstreamState state) { return sum().connections[state].value(); }
  uint32_t slots() const { return servers[0]->slots.used(); }
};

TEST_F(DrainingTest, TheSlotIsTheServersUntilItsFin) {
  give_up_one();
  EXPECT_TRUE(server(0).proxy_fin);
  EXPECT_FALSE(server(0).closed);
  EXPECT_EQ(slots(), 1u);
  EXPECT_EQ(gauge(stats::UpstreamState::Draining), 1);
  EXPECT_EQ(closed(CloseReason::ClientGone), 0u);
  Call& next = get();
  EXPECT_EQ(connections(), 1u);  // it waits
  hang_up(0);
  EXPECT_TRUE(server(0).closed);
  EXPECT_FALSE(server(0).aborted);
  EXPECT_EQ(closed(CloseReason::ClientGone), 1u);
  EXPECT_EQ(gauge(stats::UpstreamState::Draining), 0);
  ASSERT_EQ(connections(), 2u);
  accept(1);
  say(1, kOk);
  EXPECT_EQ(next.client.status, 200);
}

TEST_F(DrainingTest, OrUntilItsReset) {
  give_up_one();
  reset(0);
  EXPECT_TRUE(server(0).closed);
  EXPECT_EQ(slots(), 0u);
}

TEST_F(DrainingTest, AServerThatDoesNotLetGoIsResetAfterCloseTimeout) {
  pool().close_timeout = 3s;
  give_up_one();
  pass(2999ms);
  EXPECT_EQ(slots(), 1u);
  pass(2ms);
  EXPECT_TRUE(server(0).aborted);
  EXPECT_TRUE(server(0).closed);
  EXPECT_EQ(slots(), 0u);
  EXPECT_EQ(sum().close_timeouts.value(), 1u);
}

TEST_F(DrainingTest, ALateResponseGoesNowhere) {
  give_up_one();
  say(0, kOk);
  EXPECT_EQ(slots(), 1u);
  EXPECT_TRUE(server(0).to_read.empty());
  hang_up(0);
  EXPECT_EQ(slots(), 0u);
}

TEST_F(DrainingTest, AResponseThatTakesTooLong) {
  settings().response_timeout = 1s;
  apply();
  Call& call = get();
  accept(0);
  server(0).lets_go = false;
  pass(1001ms);
  EXPECT_EQ(call.client.status, 504);
  EXPECT_EQ(slots(), 1u);
  hang_up(0);
  EXPECT_EQ(slots(), 0u);
}

TEST_F(DrainingTest, TheLastRequestSaysSoAndTheServerCloses) {
  pool().keepalive_requests = 2;
  apply();
  Call& first = get();
  accept(0);
  // The limit is up to a tenth lower, by chance.
  const bool last_already = heard(0).find("\r\nConnection: close\r\n\r\n") != std::string::npos;
  if (!last_already) {
    say(0, kOk);
    drop(first);
    get();
    EXPECT_NE(heard(0).find("\r\nConnection: close\r\n\r\n"), std::string::npos);
  }
  server(0).lets_go = false;
  say(0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  EXPECT_EQ(slots(), 1u);
  hang_up(0);
  EXPECT_EQ(slots(), 0u);
  EXPECT_EQ(closed(CloseReason::KeepaliveRequests), 1u);
}

TEST_F(DrainingTest, ATunnelKeepsItsPlaceAmongTheUpgraded) {
  settings().pool.max_upgraded = 1;
  apply();
  Call& call =
      begin("GET /socket HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: chat\r\n");
  accept(0);
  say(0, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
  ASSERT_TRUE(call.client.upgraded);
  EXPECT_EQ(slots(), 0u);
  server(0).lets_go = false;
  drop(call);
  EXPECT_EQ(servers[0]->upgraded.used(), 1u);
  EXPECT_EQ(gauge(stats::UpstreamState::Upgraded), 1);
  hang_up(0);
  EXPECT_EQ(servers[0]->upgraded.used(), 0u);
  EXPECT_EQ(gauge(stats::UpstreamState::Upgraded), 0);
}

TEST_F(DrainingTest, ALoweredBoundClosesNoMoreThanItMust) {
  pool().max_connections = 4;
  apply();
  std::vector<Call*> calls;
  for (size_t i = 0; i < 4; ++i) {
    calls.push_back(&get());
    accept(i);
    server(i).lets_go = false;
  }
  pool().max_connections = 2;
  apply();
  for (size_t i = 0; i < 4; ++i) say(i, kOk);
  EXPECT_EQ(slots(), 4u);
  EXPECT_EQ(gauge(stats::UpstreamState::Idle), 2);
  EXPECT_EQ(gauge(stats::UpstreamState::Draining), 2);
  for (size_t i = 0; i < 4; ++i) hang_up(i);
  EXPECT_EQ(slots(), 0u);
}

// --- The last words of a tunnel.

class LastWordsTest : public DrainingTest {
 protected:
  // Its client has ended its side, and left, when the server had taken a part of it.
  void leave_a_tunnel() {
    pool().close_timeout = 3s;
    apply();
    Call& tunnel =
        begin("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n");
    accept(0);
    say(0, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    EXPECT_TRUE(tunnel.client.upgraded);
    heard();
    server(0).lets_go = false;
    take(3);
    body(tunnel, "the last words", true);
    drop(tunnel);
    EXPECT_EQ(heard(), "the");
  }
  void take(size_t bytes) {
    server(0).room = bytes;
    ready(0, {.writable = true});
  }
};

TEST_F(LastWordsTest, AreHeardBeforeTheEnd) {
  leave_a_tunnel();
  EXPECT_FALSE(server(0).proxy_fin);
  take(5);
  EXPECT_FALSE(server(0).proxy_fin);
  EXPECT_TRUE(pools.has_last_words());
  take(50);
  EXPECT_EQ(heard(), " last words");
  EXPECT_TRUE(server(0).proxy_fin);
  EXPECT_FALSE(pools.has_last_words());
  EXPECT_EQ(gauge(stats::UpstreamState::Upgraded), 1);
  hang_up(0);
  EXPECT_TRUE(server(0).closed);
  EXPECT_FALSE(server(0).aborted);
  EXPECT_EQ(gauge(stats::UpstreamState::Upgraded), 0);
}

TEST_F(LastWordsTest, AreHeardByAServerThatHasEndedItsSide) {
  leave_a_tunnel();
  hang_up(0);
  EXPECT_FALSE(server(0).closed);
  take(50);
  EXPECT_EQ(heard(), " last words");
  EXPECT_TRUE(server(0).closed);
  EXPECT_FALSE(server(0).aborted);
}

TEST_F(LastWordsTest, HaveTimeForAsLongAsTheServerTakesThem) {
  leave_a_tunnel();
  for (int i = 0; i < 4; ++i) {
    pass(2s);
    take(1);
  }
  EXPECT_FALSE(server(0).closed);
  pass(3s);
  EXPECT_TRUE(server(0).aborted);
  EXPECT_TRUE(server(0).closed);
}

TEST_F(LastWordsTest, GoNowhereAfterAReset) {
  leave_a_tunnel();
  reset(0);
  EXPECT_TRUE(server(0).closed);
  EXPECT_EQ(heard(), "");
}

}  // namespace
}  // namespace berth::exchange
