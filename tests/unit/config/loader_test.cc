// What a right file means.
#include "proxy/config/loader.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "proxy/config/printer.h"

namespace berth::config {
namespace {

// The configuration in `yaml`, which must have neither errors nor warnings.
Config loaded(std::string_view yaml) {
  const LoadResult result = load_text(yaml);
  for (const Diagnostic& diagnostic : result.diagnostics) {
    ADD_FAILURE() << to_string(diagnostic, "f");
  }
  return result.config.value_or(Config{});
}

constexpr std::string_view kShort =
    "listeners: [{address: :8080}]\n"
    "upstreams: {app: {servers: [127.0.0.1:3000]}}\n";

TEST(ConfigLoader, AShortFileIsDefaultsOtherwise) {
  Config expected;
  expected.listeners.emplace_back().address = ":8080";
  expected.listeners[0].name = ":8080";
  expected.upstreams.emplace_back().name = "app";
  expected.upstreams[0].servers = {{"127.0.0.1:3000"}};
  expected.routes.emplace_back().upstream = "app";
  EXPECT_EQ(loaded(kShort), expected);
}

TEST(ConfigLoader, EveryKeyIsRead) {
  const Config config = loaded(R"(
workers: 3
memory_budget: 64MiB
listeners:
  - address: unix:/run/b.sock
    name: front
    keepalive_timeout: 61s
    keepalive_requests: 7
    keepalive_time: 2h
    header_timeout: 11s
    body_timeout: 12s
    send_timeout: 13s
    min_body_rate: 14KiB/s
    min_send_rate: off
    max_head: 16KiB
    max_target: 4KiB
    max_body: unlimited
    max_connections: 99
    backlog: 17
    half_close: serve
    unix_mode: 0600
    tcp_keepalive: {idle: 21s, interval: 22s, count: 23}
upstreams:
  a:
    servers: [127.0.0.1:3000, {address: "unix:/run/a.sock"}]
    balance: round_robin
    pool:
      max_connections: 31
      max_idle: 30
      min_idle: 29
      keepalive_timeout: 3s
      keepalive_requests: 32
      keepalive_time: 33m
      reuse: fifo
      queue_size: 34
      queue_timeout: 35ms
      wait_while_down: false
      close_timeout: 37ms
      rest_timeout: 20ms
      max_upgraded: 36
    retry: {attempts: 4, budget_percent: 41, budget_min: 42, non_idempotent: fin_proved}
    ejection: {errors: 61, count: gateway_errors, time: 62s, max_time: 63s, max_percent: 64}
    health:
      path: /healthz
      host: a.test
      interval: 65s
      timeout: 6s
      healthy_after: 66
      unhealthy_after: 67
      status: [204]
    connect_timeout: 51s
    response_timeout: 52s
    idle_timeout: 53s
    upgrade_timeout: 54s
    request_body: spool
    request_buffer: 55KiB
    response_buffer: 56KiB
    max_response_head: 57KiB
    tcp_keepalive: off
routes:
  - host: "*.Example.com"
    path: /x
    upstream: a
    request_body: stream
    request_headers: {set: {X-A: "1", X-B: ""}, remove: [Cookie]}
    response_headers: {remove: [Server, X-Powered-By]}
forwarding: {trusted_proxies: [10.0.0.0/8, "::1"], forwarded: true, request_id: false}
admin: off
access_log: {enabled: false, path: /var/log/berth.log, format: template, template: "{status} {{", min_status: 400, sample: 10}
resolver: {enabled: false, nameservers: [10.0.0.2, "[::1]:54"], min_ttl: 2s, max_ttl: 3m}
shutdown: {delay: 5s, grace: 0s}
spool: {path: /var/spool/berth, max_size: 2MiB, budget: 3MiB}
)");
  Config expected;
  expected.workers = 3;
  expected.memory_budget = 64 * kMiB;
  Listener& l = expected.listeners.emplace_back();
  l.address = "unix:/run/b.sock";
  l.name = "front";
  l.keepalive_timeout = 61s;
  l.keepalive_requests = 7;
  l.keepalive_time = 2h;
  l.header_timeout = 11s;
  l.body_timeout = 12s;
  l.send_timeout = 13s;
  l.min_body_rate = 14 * kKiB;
  l.min_send_rate = 0;
  l.max_head = 16 * kKiB;
  l.max_target = 4 * kKiB;
  l.max_body = 0;
  l.max_connections = 99;
  l.backlog = 17;
  l.half_close = HalfClose::Serve;
  l.unix_mode = 0600;
  l.tcp_keepalive = {true, 21s, 22s, 23};
  Upstream& u = expected.upstreams.emplace_back();
  u.name = "a";
  u.servers = {{"127.0.0.1:3000"}, {"unix:/run/a.sock"}};
  u.balance = Balance::RoundRobin;
  u.pool = {31, 30, 29, 3s, 32, 33min, Reuse::Fifo, 34, 35ms, false, 37ms, 20ms, 36};
  u.retry = {4, 41, 42, RetryNonIdempotent::FinProved};
  u.ejection = {true, 61, EjectFor::GatewayErrors, 62s, 63s, 64};
  u.health = {true, "/healthz", "a.test", 65s, 6s, 66, 67, {"204"}};
  u.connect_timeout = 51s;
  u.response_timeout = 52s;
  u.idle_timeout = 53s;
  u.upgrade_timeout = 54s;
  u.request_body = RequestBody::Spool;
  u.request_buffer = 55 * kKiB;
  u.response_buffer = 56 * kKiB;
  u.max_response_head = 57 * kKiB;
  u.tcp_keepalive.enabled = false;
  Route& r = expected.routes.emplace_back();
  r.host = "*.example.com";
  r.path = "/x";
  r.upstream = "a";
  r.request_body = RequestBody::Stream;
  r.request_headers = {{{"X-A", "1"}, {"X-B", ""}}, {"Cookie"}};
  r.response_headers = {{}, {"Server", "X-Powered-By"}};
  expected.forwarding.trusted_proxies = {"10.0.0.0/8", "::1"};
  expected.forwarding.forwarded = true;
  expected.forwarding.request_id = false;
  expected.admin.address = "";
  expected.access_log = {false, "/var/log/berth.log", LogFormat::Template, "{status} {{", 400, 10};
  expected.resolver = {false, {"10.0.0.2:53", "[::1]:54"}, 2s, 3min};
  expected.shutdown = {5s, 0s};
  expected.spool = {true, "/var/spool/berth", 2 * kMiB, 3 * kMiB};
  EXPECT_EQ(config, expected);
  EXPECT_EQ(loaded(print(config)), expected);
}

TEST(ConfigLoader, WordsForNumbers) {
  const Config config = loaded(std::string(kShort) + "workers: auto\n");
  EXPECT_EQ(config.workers, 0U);
  const Config words = loaded(
      "listeners: [{address: :80, max_connections: auto, max_body: unlimited}]\n"
      "upstreams: {a: {servers: [b:1], pool: {keepalive_timeout: auto}}}\n");
  EXPECT_EQ(words.listeners[0].max_connections, 0U);
  EXPECT_EQ(words.listeners[0].max_body, 0U);
  EXPECT_FALSE(words.upstreams[0].pool.keepalive_timeout);
}

TEST(ConfigLoader, OffInPlaceOfASection) {
  const Config config = loaded(
      "listeners: [{address: :80, tcp_keepalive: off}]\n"
      "upstreams: {a: {servers: [b:1]}}\n"
      "admin: off\n"
      "access_log: off\n");
  EXPECT_FALSE(config.listeners[0].tcp_keepalive.enabled);
  EXPECT_EQ(config.admin.address, "");
  EXPECT_FALSE(config.access_log.enabled);
  EXPECT_EQ(loaded(std::string(kShort) + "admin: {address: off}\n").admin.address, "");
}

TEST(ConfigLoader, AnEmptySectionIsItsDefaults) {
  const Config config = loaded(
      "listeners: [{address: :80}]\n"
      "upstreams: {a: {servers: [b:1], pool: , retry: }}\n"
      "shutdown:\n"
      "access_log:\n");
  EXPECT_EQ(config.upstreams[0].pool, Pool{});
  EXPECT_EQ(config.access_log, AccessLog{});
}

TEST(ConfigLoader, MaxIdleFollowsASmallMaxConnections) {
  const auto pool = [](const std::string& text) {
    return loaded("listeners: [{address: :80}]\nupstreams: {a: {servers: [b:1], pool: {" + text +
                  "}}}\n")
        .upstreams.at(0)
        .pool;
  };
  EXPECT_EQ(pool("max_connections: 8").max_idle, 8U);
  EXPECT_EQ(pool("max_connections: 500").max_idle, Pool{}.max_idle);
  EXPECT_EQ(pool("max_connections: 8, max_idle: 2").max_idle, 2U);
}

TEST(ConfigLoader, AnchorsAliasesAndMergeKeys) {
  const Config config = loaded(R"(
x-pool: &pool {max_connections: 8, queue_size: 5}
x-more: &more {queue_size: 6, max_upgraded: 7}
listeners: [{address: :80}]
upstreams:
  a: {servers: &servers [b:1], pool: *pool}
  b: {servers: *servers, pool: {<<: *pool, queue_size: 9}}
  c: {servers: *servers, pool: {max_idle: 1, <<: [*pool, *more]}}
routes: [{path: /a, upstream: a}, {path: /b, upstream: b}, {upstream: c}]
)");
  ASSERT_EQ(config.upstreams.size(), 3U);
  EXPECT_EQ(config.upstreams[0].pool.max_connections, 8U);
  EXPECT_EQ(config.upstreams[1].pool.max_connections, 8U);
  EXPECT_EQ(config.upstreams[1].pool.queue_size, 9U);  // its own wins
  EXPECT_EQ(config.upstreams[2].pool.queue_size, 5U);  // the first merged wins
  EXPECT_EQ(config.upstreams[2].pool.max_upgraded, 7U);
  EXPECT_EQ(config.upstreams[2].pool.max_idle, 1U);
  EXPECT_EQ(config.upstreams[2].servers, config.upstreams[0].servers);
}

TEST(ConfigLoader, MergesOfMerges) {
  const Config config = loaded(R"(
x-a: &a {max_connections: 8}
x-b: &b {<<: *a, max_upgraded: 7}
listeners: [{address: :80}]
upstreams: {a: {servers: [b:1], pool: {<<: *b}}}
)");
  EXPECT_EQ(config.upstreams.at(0).pool.max_connections, 8U);
  EXPECT_EQ(config.upstreams.at(0).pool.max_upgraded, 7U);
}

TEST(ConfigLoader, JsonIsYaml) {
  const Config config = loaded(
      R"({"listeners": [{"address": ":8080"}], "upstreams": {"app": {"servers": ["127.0.0.1:3000"]}}})");
  EXPECT_EQ(config, loaded(kShort));
}

TEST(ConfigLoader, WindowsLineEndsAndByteOrderMark) {
  std::string text = "\xef\xbb\xbf" + std::string(kShort);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\r\n");
  }
  EXPECT_EQ(loaded(text), loaded(kShort));
}

TEST(ConfigLoader, PortZeroMayBeListenedOnTwice) {
  EXPECT_EQ(loaded("listeners: [{address: 127.0.0.1:0}, {address: 127.0.0.1:0}]\n"
                   "upstreams: {a: {servers: [b:1]}}\n")
                .listeners.size(),
            2U);
}

TEST(ConfigLoader, Files) {
  const std::string path = testing::TempDir() + "/berth-loader-test.yaml";
  std::ofstream(path) << kShort;
  EXPECT_EQ(load_file(path).config, loaded(kShort));
  std::remove(path.c_str());

  const LoadResult missing = load_file(path);
  ASSERT_EQ(missing.diagnostics.size(), 1U);
  EXPECT_FALSE(missing.ok());
  EXPECT_EQ(missing.errors, 1U);
  EXPECT_EQ(to_string(missing.diagnostics[0], "f"),
            "f: error: cannot be read: No such file or directory");

  const LoadResult folder = load_file(testing::TempDir());
  ASSERT_EQ(folder.diagnostics.size(), 1U);
  EXPECT_EQ(to_string(folder.diagnostics[0], "f"),
            "f: error: cannot be read: Is a directory (name a file)");
}

}  // namespace
}  // namespace berth::config
