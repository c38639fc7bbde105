// Tunnels.
#include "tests/unit/exchange/exchange_fixture.h"

namespace berth::exchange {
namespace {

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

}  // namespace
}  // namespace berth::exchange
