// Warnings: what is allowed, but will disappoint.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/config/loader.h"

namespace berth::config {
namespace {

// The warnings about `yaml`, which must have no errors: "LINE:COLUMN: warning: MESSAGE".
std::vector<std::string> warnings(const std::string& yaml) {
  const LoadResult result = load_text(yaml);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.errors, 0U);
  std::vector<std::string> out;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    out.push_back(to_string(diagnostic, "f").substr(2));
  }
  return out;
}

std::vector<std::string> pool_warnings(const std::string& keys) {
  return warnings(
      "listeners: [{address: :80}]\n"
      "upstreams:\n"
      "  app:\n"
      "    servers: [a:1]\n"
      "    pool: {" +
      keys + "}\n");
}

std::vector<std::string> listener_warnings(const std::string& keys, const std::string& more = {}) {
  return warnings("upstreams: {app: {servers: [a:1]}}\nlisteners:\n  - {address: :80, " + keys +
                  "}\n" + more);
}

using Strings = std::vector<std::string>;

TEST(ConfigRaces, FixedServerTimeoutAtNodesOwnOrAbove) {
  EXPECT_EQ(pool_warnings("keepalive_timeout: 5s"),
            Strings{"5:31: warning: keepalive_timeout 5s of upstream 'app' will race with Node "
                    "servers: they close idle connections after 5s unless the app sets "
                    "server.keepAliveTimeout (auto follows each server; a fixed time must be below "
                    "every server's own)"});
  EXPECT_EQ(pool_warnings("keepalive_timeout: 4999ms"), Strings{});
  EXPECT_EQ(pool_warnings("keepalive_timeout: auto"), Strings{});
}

TEST(ConfigRaces, ConnectionsThatEndBeforeTheyCanBeIdle) {
  EXPECT_EQ(pool_warnings("keepalive_timeout: 4s, keepalive_time: 3s"),
            Strings{"5:51: warning: keepalive_time is below keepalive_timeout (connections end "
                    "before they can be idle that long)"});
  EXPECT_EQ(listener_warnings("keepalive_time: 60s"),
            Strings{"3:36: warning: keepalive_time is below keepalive_timeout (connections end "
                    "before they can be idle that long)"});
  EXPECT_EQ(pool_warnings("keepalive_time: 3s"), Strings{});  // auto is not a time
}

TEST(ConfigRaces, PoolsThatReuseNothing) {
  EXPECT_EQ(pool_warnings("max_idle: 0"),
            Strings{"5:22: warning: max_idle 0 closes every connection after its response (each "
                    "request then waits for a new connection)"});
  EXPECT_EQ(
      pool_warnings("keepalive_requests: 1"),
      Strings{"5:32: warning: keepalive_requests 1 closes every connection after its response "
              "(each request then waits for a new connection)"});
}

TEST(ConfigRaces, MoreIdleThanThereAre) {
  EXPECT_EQ(pool_warnings("max_connections: 8, max_idle: 9"),
            Strings{"5:42: warning: max_idle 9 is above max_connections 8: there are never that "
                    "many connections to be idle"});
  EXPECT_EQ(pool_warnings("max_connections: 8, max_idle: 8"), Strings{});
  EXPECT_EQ(pool_warnings("max_connections: 8"), Strings{});
}

TEST(ConfigRaces, ShortClientTimeout) {
  EXPECT_EQ(listener_warnings("keepalive_timeout: 1999ms"),
            Strings{"3:39: warning: keepalive_timeout 1999ms is so short that clients will send on "
                    "connections that just closed (2s or more; to close after every response, set "
                    "keepalive_requests: 1)"});
  EXPECT_EQ(listener_warnings("keepalive_timeout: 2s"), Strings{});
}

TEST(ConfigRaces, ProxyInFrontThatKeepsConnectionsLonger) {
  const std::string trusted = "forwarding: {trusted_proxies: [10.0.0.0/8]}\n";
  EXPECT_EQ(listener_warnings("keepalive_timeout: 60s", trusted),
            Strings{"3:39: warning: keepalive_timeout 60s will race with the proxy in front "
                    "(trusted_proxies): most keep idle connections for 60s (longer than the proxy "
                    "in front keeps its own, such as 75s)"});
  EXPECT_EQ(listener_warnings("keepalive_timeout: 61s", trusted), Strings{});
  EXPECT_EQ(listener_warnings("keepalive_timeout: 60s"), Strings{});
}

TEST(ConfigRaces, TargetsThatDoNotFit) {
  EXPECT_EQ(listener_warnings("max_head: 4KiB, max_target: 8KiB"),
            Strings{"3:48: warning: max_target is above max_head, which holds the target too (a "
                    "longer target is refused by max_head)"});
  EXPECT_EQ(listener_warnings("max_head: 4KiB"), Strings{});  // only the default is above
}

TEST(ConfigRaces, UpstreamWithoutARoute) {
  EXPECT_EQ(warnings("listeners: [{address: :80}]\n"
                     "upstreams:\n"
                     "  a: {servers: [b:1]}\n"
                     "  c: {servers: [d:1]}\n"
                     "routes: [{upstream: a}]\n"),
            Strings{"4:3: warning: no route leads to upstream 'c'"});
}

TEST(ConfigRaces, AFloodOfWarningsIsNoError) {
  std::string yaml = "listeners: [{address: :80}]\nroutes: [{upstream: u0}]\nupstreams:\n";
  for (int i = 0; i < 150; ++i) yaml += "  u" + std::to_string(i) + ": {servers: [a:1]}\n";
  const LoadResult result = load_text(yaml);
  EXPECT_TRUE(result.ok());
  ASSERT_EQ(result.diagnostics.size(), Diagnostics::kMaxKept + 1);
  EXPECT_EQ(result.diagnostics.back().level, Level::Warning);
  EXPECT_EQ(result.diagnostics.back().message, "49 more like these are not shown");
}

TEST(ConfigLoops, AServerThatIsAListener) {
  const auto loop = [](const std::string& listener, const std::string& server) {
    const auto all = warnings("listeners: [{address: '" + listener +
                              "'}]\nupstreams: {app: {servers: ['" + server + "']}}\n");
    return all == Strings{"2:29: warning: server " + server +
                          " is Berth itself: listeners[0] (name the address of the app)"};
  };
  EXPECT_TRUE(loop("127.0.0.1:3000", "127.0.0.1:3000"));
  EXPECT_TRUE(loop(":3000", "127.0.0.1:3000"));
  EXPECT_TRUE(loop("0.0.0.0:3000", "localhost:3000"));
  EXPECT_TRUE(loop("[::]:3000", "[::1]:3000"));
  EXPECT_TRUE(loop("127.0.0.1:3000", "localhost:3000"));
  EXPECT_TRUE(loop("unix:/run/a", "unix:/run/a"));
  EXPECT_FALSE(loop(":3000", "127.0.0.1:3001"));
  EXPECT_FALSE(loop(":3000", "10.0.0.1:3000")) << "another machine, as far as one can see";
  EXPECT_FALSE(loop("127.0.0.2:3000", "127.0.0.1:3000"));
  EXPECT_FALSE(loop("unix:/run/a", "unix:/run/b"));
}

}  // namespace
}  // namespace berth::config
