// Which server an exchange goes to, and what the client is told of it.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/unit/exchange/proxy_in_memory.h"

namespace berth::exchange {
namespace {

constexpr std::string_view kAnswer = "HTTP/1.1 204 No Content\r\n\r\n";

class BalanceTest : public ProxyInMemory {
 protected:
  void use_servers(int count) {
    settings().servers.clear();
    for (int i = 1; i <= count; ++i) {
      settings().servers.push_back({"10.0.0." + std::to_string(i) + ":3000"});
    }
  }
  // The server of a connection, by its place in the configuration.
  size_t server_of(size_t which) {
    for (size_t i = 0; i < servers.size(); ++i) {
      if (servers[i]->address == server(which).address) return i;
    }
    return servers.size();
  }
  // The connection on which the request with this path is; SIZE_MAX if on none.
  size_t find(const std::string& path) {
    for (size_t i = 0; i < connections(); ++i) {
      if (server(i).received.find("GET " + path + " ") != std::string::npos) return i;
    }
    return SIZE_MAX;
  }
  // A whole request: which server answered it. Connections stand as soon as they are made.
  size_t serve(const std::string& lines = {}) {
    Call& made =
        begin("GET /r" + std::to_string(++requests_) + " HTTP/1.1\r\nHost: app.test\r\n" + lines);
    accept_all();
    const size_t at = find("/r" + std::to_string(requests_));
    if (at == SIZE_MAX) return SIZE_MAX;
    say(at, kAnswer);
    EXPECT_EQ(made.client.status, 204);
    cookie = made.client.set_cookie;
    drop(made);
    return server_of(at);
  }
  void accept_all() {
    for (size_t i = 0; i < connections(); ++i) {
      if (!server(i).connected) accept(i);
    }
  }
  // The pair "name=value" of a Set-Cookie.
  static std::string pair(const std::string& set) { return set.substr(0, set.find(';')); }
  std::string sticky(const std::string& set) { return "Cookie: " + pair(set) + "\r\n"; }
  void take_down(size_t which) {
    servers[which]->connect_failed(CloseReason::ConnectRefused, now(), now());
  }

  std::string cookie;  // of the last answer

 private:
  int requests_ = 0;
};

TEST_F(BalanceTest, RoundRobinGoesByWeight) {
  use_servers(3);
  settings().balance = config::Balance::RoundRobin;
  settings().servers[1].weight = 3;
  apply();
  std::map<size_t, int> counts;
  for (int i = 0; i < 50; ++i) ++counts[serve()];
  EXPECT_EQ(counts, (std::map<size_t, int>{{0, 10}, {1, 30}, {2, 10}}));
}

TEST_F(BalanceTest, AKeyHasItsServer) {
  use_servers(4);
  settings().balance = config::Balance::Hash;
  settings().hash = {config::HashBy::Header, "X-Tenant"};
  apply();
  std::map<size_t, int> counts;
  for (int tenant = 0; tenant < 40; ++tenant) {
    const std::string line = "X-Tenant: t" + std::to_string(tenant) + "\r\n";
    const size_t first = serve(line);
    EXPECT_EQ(serve(line), first);
    ++counts[first];
  }
  EXPECT_EQ(counts.size(), 4U);
  EXPECT_EQ(cookie, "");
}

TEST_F(BalanceTest, WithoutAKeyTheLeastLoadedServes) {
  use_servers(2);
  settings().balance = config::Balance::Hash;
  settings().hash = {config::HashBy::Header, "X-Tenant"};
  apply();
  std::map<size_t, int> counts;
  for (int i = 0; i < 20; ++i) ++counts[serve()];
  EXPECT_EQ(counts, (std::map<size_t, int>{{0, 10}, {1, 10}}));
}

TEST_F(BalanceTest, AKeyGoesToTheNextServerWhileItsOwnIsDown) {
  use_servers(3);
  settings().balance = config::Balance::Hash;
  settings().hash = {config::HashBy::Header, "X-Tenant"};
  apply();
  const std::string line = "X-Tenant: blue\r\n";
  const size_t own = serve(line);
  take_down(own);
  const size_t next = serve(line);
  EXPECT_NE(next, own);
  EXPECT_EQ(serve(line), next);
  servers[own]->connect_succeeded(now());
  EXPECT_EQ(serve(line), own);
}

TEST_F(BalanceTest, AKeyPassesOverAFullServer) {
  use_servers(2);
  settings().balance = config::Balance::Hash;
  settings().hash = {config::HashBy::Header, "X-Tenant"};
  pool().max_connections = 1;
  apply();
  const std::string line = "X-Tenant: blue\r\n";
  const size_t own = serve(line);
  begin("GET /busy HTTP/1.1\r\nHost: a\r\n" + line);
  EXPECT_EQ(serve(line), 1 - own);
  say(find("/busy"), kAnswer);
  EXPECT_EQ(serve(line), own);
}

TEST_F(BalanceTest, AStickySessionStaysWithItsServer) {
  use_servers(4);
  settings().sticky.cookie = "s";
  apply();
  const size_t first = serve();
  const std::string session = cookie;
  EXPECT_TRUE(session.starts_with("s=")) << session;
  EXPECT_TRUE(session.ends_with("; Path=/; HttpOnly; SameSite=Lax")) << session;
  EXPECT_EQ(session.find("10.0.0"), std::string::npos);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(serve(sticky(session)), first);
    EXPECT_EQ(cookie, "");  // it has it
    serve();
  }
}

TEST_F(BalanceTest, AStickySessionOfADeadServerGetsANewOne) {
  use_servers(3);
  settings().sticky.cookie = "s";
  apply();
  const size_t first = serve();
  const std::string session = cookie;
  take_down(first);
  const size_t second = serve(sticky(session));
  EXPECT_NE(second, first);
  const std::string renewed = cookie;
  EXPECT_NE(pair(renewed), pair(session));
  EXPECT_EQ(serve(sticky(renewed)), second);
  EXPECT_EQ(cookie, "");
}

TEST_F(BalanceTest, AStickySessionMovesWhenItsServerRefuses) {
  use_servers(2);
  settings().sticky.cookie = "s";
  settings().pool.keepalive_requests = 1;  // connects each time
  apply();
  const size_t first = serve();
  Call& moved = begin("GET /moved HTTP/1.1\r\nHost: a\r\n" + sticky(cookie));
  EXPECT_EQ(server_of(connections() - 1), first);
  refuse(connections() - 1);
  EXPECT_EQ(server_of(connections() - 1), 1 - first);
  accept_all();
  say(connections() - 1, kAnswer);
  EXPECT_EQ(moved.client.status, 204);
  EXPECT_TRUE(moved.client.set_cookie.starts_with("s="));
}

TEST_F(BalanceTest, ANonsensicalCookieIsReplaced) {
  use_servers(2);
  settings().sticky.cookie = "s";
  apply();
  for (const char* value : {"x", "0000000000000000", "\xff"}) {
    EXPECT_NE(serve("Cookie: s=" + std::string(value) + "\r\n"), SIZE_MAX);
    EXPECT_TRUE(cookie.starts_with("s="));
  }
}

TEST_F(BalanceTest, AStickySessionWaitsForItsFullServerAndOthersDoNotWaitForIt) {
  use_servers(2);
  settings().sticky.cookie = "s";
  pool().max_connections = 1;
  apply();
  const size_t first = serve();
  const std::string session = sticky(cookie);
  begin("GET /busy HTTP/1.1\r\nHost: a\r\n" + session);
  Call& waits = begin("GET /waits HTTP/1.1\r\nHost: a\r\n" + session);
  EXPECT_EQ(find("/waits"), SIZE_MAX);
  EXPECT_EQ(serve(), 1 - first);
  EXPECT_EQ(find("/waits"), SIZE_MAX);
  say(find("/busy"), kAnswer);
  ASSERT_NE(find("/waits"), SIZE_MAX);
  EXPECT_EQ(server_of(find("/waits")), first);
  say(find("/waits"), kAnswer);
  EXPECT_EQ(waits.client.status, 204);
}

TEST_F(BalanceTest, WhoWaitsForAServerThatDiesGoesToAnother) {
  use_servers(2);
  settings().sticky.cookie = "s";
  pool().max_connections = 2;
  apply();
  const size_t first = serve();
  const std::string session = sticky(cookie);
  begin("GET /busy HTTP/1.1\r\nHost: a\r\n" + session);
  begin("GET /connects HTTP/1.1\r\nHost: a\r\n" + session);
  const size_t connecting = connections() - 1;
  ASSERT_FALSE(server(connecting).connected);
  begin("GET /waits HTTP/1.1\r\nHost: a\r\n" + session);
  EXPECT_EQ(connections(), connecting + 1);
  refuse(connecting);
  accept_all();
  ASSERT_NE(find("/waits"), SIZE_MAX);
  EXPECT_EQ(server_of(find("/waits")), 1 - first);
}

TEST_F(BalanceTest, ABackupServesOnlyWhileNoOtherMay) {
  use_servers(3);
  settings().servers[2].backup = true;
  apply();
  for (int i = 0; i < 10; ++i) EXPECT_NE(serve(), 2U);
  take_down(0);
  EXPECT_EQ(serve(), 1U);
  take_down(1);
  EXPECT_EQ(serve(), 2U);
  EXPECT_EQ(serve(), 2U);
  servers[0]->connect_succeeded(now());
  EXPECT_EQ(serve(), 0U);
}

TEST_F(BalanceTest, ABackupDoesNotHelpServersThatAreOnlyFull) {
  use_servers(2);
  settings().servers[1].backup = true;
  pool().max_connections = 1;
  apply();
  Call& first = get("/first");
  accept_all();
  Call& second = get("/second");
  accept_all();
  EXPECT_EQ(connections(), 1U);
  say(0, kAnswer);
  EXPECT_EQ(first.client.status, 204);
  EXPECT_EQ(find("/second"), 0U);
  say(0, kAnswer);
  EXPECT_EQ(second.client.status, 204);
}

TEST_F(BalanceTest, WhoWaitsForAFullServerGoesToTheBackupWhenItDies) {
  use_servers(2);
  settings().servers[1].backup = true;
  pool().max_connections = 2;
  apply();
  get("/first");
  accept_all();
  get("/connects");
  Call& waits = get("/waits");
  EXPECT_EQ(connections(), 2U);
  refuse(1);
  accept_all();
  ASSERT_NE(find("/waits"), SIZE_MAX);
  EXPECT_EQ(server_of(find("/waits")), 1U);
  say(find("/waits"), kAnswer);
  EXPECT_EQ(waits.client.status, 204);
}

TEST_F(BalanceTest, AServerThatComesBackStartsSlowly) {
  use_servers(2);
  settings().balance = config::Balance::RoundRobin;
  settings().slow_start = 100s;
  apply();
  pass(200s);
  const auto share = [&] {
    int count = 0;
    for (int i = 0; i < 100; ++i) count += serve() == 1 ? 1 : 0;
    return count;
  };
  EXPECT_NEAR(share(), 50, 1);
  take_down(1);
  servers[1]->connect_succeeded(now());
  EXPECT_NEAR(share(), 9, 2);  // a tenth against a whole
  pass(50s);
  EXPECT_NEAR(share(), 33, 2);
  pass(50s);
  EXPECT_NEAR(share(), 50, 2);
}

TEST_F(BalanceTest, AnUpgradedSessionGetsItsCookieToo) {
  use_servers(2);
  settings().sticky.cookie = "s";
  apply();
  Call& socket =
      begin("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n");
  accept_all();
  say(0, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_TRUE(socket.client.upgraded);
  EXPECT_TRUE(socket.client.set_cookie.starts_with("s="));
}

}  // namespace
}  // namespace berth::exchange
