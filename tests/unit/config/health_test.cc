// What is said about the health of servers: what it means, and what a wrong file is told.
#include "proxy/config/health.h"

#include <gtest/gtest.h>

#include "proxy/config/loader.h"
#include "proxy/config/status_range.h"

namespace berth::config {
namespace {

LoadResult load(const std::string& keys) {
  return load_text("listeners: [{address: :8080}]\nupstreams:\n  app:\n    servers: [a:1]\n    " +
                   keys + "\n");
}

Upstream upstream(const std::string& keys) {
  const LoadResult result = load(keys);
  for (const Diagnostic& diagnostic : result.diagnostics)
    ADD_FAILURE() << to_string(diagnostic, "f");
  return result.ok() ? result.config->upstreams[0] : Upstream();
}

std::string complaint(const std::string& keys) {
  const LoadResult result = load(keys);
  return result.diagnostics.empty() ? "" : to_string(result.diagnostics[0], "f");
}

TEST(HealthConfig, ChecksAreOffUntilTheSectionIsThere) {
  EXPECT_FALSE(upstream("balance: round_robin").health.enabled);
  EXPECT_TRUE(upstream("health: {path: /healthz}").health.enabled);
  EXPECT_FALSE(upstream("health: {path: /healthz, enabled: false}").health.enabled);
  EXPECT_FALSE(upstream("health: off").health.enabled);
}

TEST(HealthConfig, EveryKey) {
  const HealthCheck check =
      upstream(
          "health: {path: \"/h?a=b\", host: app.test:8080, interval: 1s, timeout: 500ms, "
          "healthy_after: 4, unhealthy_after: 5, status: [200, 204-206]}")
          .health;
  EXPECT_EQ(check, (HealthCheck{.enabled = true,
                                .path = "/h?a=b",
                                .host = "app.test:8080",
                                .interval = std::chrono::seconds(1),
                                .timeout = std::chrono::milliseconds(500),
                                .healthy_after = 4,
                                .unhealthy_after = 5,
                                .status = {"200", "204-206"}}));
}

TEST(HealthConfig, WrongChecks) {
  EXPECT_EQ(complaint("health: {path: healthz}"),
            "f:5:20: error: path: 'healthz' is not a path (did you mean /healthz?)");
  EXPECT_EQ(
      complaint("health: {path: \"/a b\"}"),
      "f:5:20: error: path: '/a b' has characters that URLs percent-encode (such as %20 for a "
      "blank)");
  EXPECT_EQ(complaint("health: {host: \"a b\"}"),
            "f:5:20: error: host: 'a b' is not a host (such as app.example.com, or auto for the "
            "server's address)");
  for (const std::string host : {"app:99999999", "app:0", "app:", "app:x", "unix:/run/app.sock"}) {
    EXPECT_EQ(complaint("health: {host: '" + host + "'}"),
              "f:5:20: error: host: '" + host +
                  "' is not a host (such as app.example.com, or auto for the server's address)");
  }
  for (const std::string host : {"app.test", "10.0.0.1", "app:65535", "'[::1]:80'", "auto"}) {
    EXPECT_EQ(complaint("health: {host: " + host + "}"), "");
  }
  EXPECT_EQ(complaint("health: {status: [2xx]}"),
            "f:5:23: error: status: '2xx' is not a status (such as 204 or 200-399)");
  EXPECT_EQ(complaint("health: {status: []}"),
            "f:5:22: error: status in upstreams.app.health has no items (leave the key out for its "
            "default)");
  EXPECT_EQ(complaint("health: {timeout: 6s}"),
            "f:5:23: warning: timeout is above interval (checks of a server that does not answer "
            "then come less often)");
  EXPECT_EQ(complaint("health: {uri: /h}"),
            "f:5:14: error: unknown key 'uri' in upstreams.app.health (did you mean path?)");
}

TEST(HealthConfig, StatusRanges) {
  for (const char* wrong : {"", "20", "2000", "199", "600", "300-200", "200-", "-200", "200-2x0"}) {
    EXPECT_FALSE(parse_status_range(wrong)) << wrong;
  }
  EXPECT_TRUE(status_in({"204", "300-302"}, 204));
  EXPECT_TRUE(status_in({"204", "300-302"}, 302));
  EXPECT_FALSE(status_in({"204", "300-302"}, 303));
  EXPECT_FALSE(status_in({"204", "300-302"}, 200));
}

TEST(HealthConfig, EjectionIsOnUnlessItIsTurnedOff) {
  EXPECT_TRUE(upstream("balance: round_robin").ejection.enabled);
  EXPECT_FALSE(upstream("ejection: off").ejection.enabled);
  const Ejection written = upstream("ejection: {errors: 2, count: server_errors}").ejection;
  EXPECT_EQ(written.errors, 2u);
  EXPECT_EQ(written.count, EjectFor::ServerErrors);
  EXPECT_EQ(upstream("ejection: {time: 10m}").ejection.max_time, std::chrono::minutes(10));
}

TEST(HealthConfig, WrongEjections) {
  EXPECT_EQ(complaint("ejection: {time: 10m, max_time: 1m}"),
            "f:5:37: error: max_time is below time, which is the shortest ejection (raise max_time "
            "or lower time)");
  EXPECT_EQ(complaint("ejection: {errors: 0}"),
            "f:5:24: error: errors: '0' is out of range, 1 to 1000000 (to leave none out, write "
            "ejection: off)");
  EXPECT_EQ(complaint("outlier_detection: {}"),
            "f:5:5: error: unknown key 'outlier_detection' in upstreams.app (did you mean "
            "ejection?)");
}

TEST(HealthConfig, MinIdle) {
  EXPECT_EQ(upstream("pool: {min_idle: 40}").pool.max_idle, 40u);
  EXPECT_EQ(complaint("pool: {min_idle: 4, max_idle: 3}"),
            "f:5:22: error: min_idle 4 is above max_idle 3");
  EXPECT_EQ(complaint("pool: {min_idle: 4, max_connections: 3}"),
            "f:5:22: error: min_idle 4 is above max_connections 3");
}

}  // namespace
}  // namespace berth::config
