#include "proxy/server/reload_report.h"

#include <gtest/gtest.h>

#include "proxy/config/loader.h"

namespace berth::server {
namespace {

constexpr std::string_view kRunning = R"(
listeners:
  - address: :8080
  - address: "[::1]:8081"
upstreams:
  app: {servers: [127.0.0.1:3000, 127.0.0.1:3001]}
  api: {servers: ["[::1]:4000"], pool: {queue_size: 8}}
routes: [{path: /api, upstream: api}, {upstream: app}]
)";

Inventory inventory(std::string_view yaml) {
  config::LoadResult result = config::load_text(yaml);
  for (const config::Diagnostic& diagnostic : result.diagnostics) {
    if (diagnostic.level == config::Level::Error) ADD_FAILURE() << to_string(diagnostic, "f");
  }
  const config::Config config = result.config.value_or(config::Config{});
  AddressTable addresses;
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      addresses[server.address.text()] = {net::Address::of(server.address)};
    }
  }
  return take_inventory(config, addresses, TlsPlan(config, std::make_shared<net::TicketKeys>()));
}

// Of a reload from kRunning with `before` in it replaced by `after`.
ReloadReport report(std::string_view before = "", std::string_view after = "") {
  std::string next(kRunning);
  const size_t at = next.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  next.replace(at, before.size(), after);
  return compare(inventory(kRunning), inventory(next));
}

std::string text(std::string_view before = "", std::string_view after = "") {
  return to_string(report(before, after));
}

TEST(ReloadReportTest, NothingChanged) {
  EXPECT_EQ(text(), "servers: 3 kept; listeners: 2 kept; upstreams: 2 kept; routes unchanged");
  EXPECT_EQ(to_string(compare({}, {})),
            "servers: none; listeners: none; upstreams: none; routes unchanged");
}

TEST(ReloadReportTest, AddingAndRemovingAServerKeepsTheOthers) {
  EXPECT_EQ(text("127.0.0.1:3001]", "127.0.0.1:3001, 127.0.0.1:3002]"),
            "servers: 3 kept, 1 added (app/127.0.0.1:3002); listeners: 2 kept; upstreams: 2 kept; "
            "routes unchanged");
  EXPECT_EQ(text("127.0.0.1:3000, ", ""),
            "servers: 2 kept, 1 retired (app/127.0.0.1:3000); listeners: 2 kept; upstreams: 2 "
            "kept; routes unchanged");
}

TEST(ReloadReportTest, WhatAServerIsGivenIsItsOwnSetting) {
  for (const std::string_view setting : {"weight: 2", "backup: true"}) {
    const std::string server = "{address: 127.0.0.1:3001, " + std::string(setting) + "}]";
    EXPECT_EQ(text("127.0.0.1:3001]", server),
              "servers: 2 kept, 1 changed (app/127.0.0.1:3001); listeners: 2 kept; upstreams: 2 "
              "kept; routes unchanged");
  }
}

TEST(ReloadReportTest, NewLimitsOfAnUpstreamAreThoseOfItsServers) {
  EXPECT_EQ(text("queue_size: 8", "queue_size: 16"),
            "servers: 2 kept, 1 changed (api/[::1]:4000); listeners: 2 kept; upstreams: 1 kept, 1 "
            "changed (api: pool.queue_size); routes unchanged");
}

TEST(ReloadReportTest, TheSameServerInAnotherUpstreamIsAnother) {
  const ReloadReport moved = report("\"[::1]:4000\"", "127.0.0.1:3000");
  EXPECT_EQ(count(moved.servers, Fate::Kept), 2u);
  EXPECT_EQ(count(moved.servers, Fate::Added), 1u);
  EXPECT_EQ(count(moved.servers, Fate::Retired), 1u);
}

TEST(ReloadReportTest, SpellingIsNoChange) {
  EXPECT_EQ(text("[::1]:4000", "[0::1]:4000"), text());
  EXPECT_EQ(text("[::1]:8081", "[0::1]:8081"), text());
}

TEST(ReloadReportTest, AServerWithOtherTlsBeginsAnew) {
  EXPECT_EQ(text("pool: {queue_size: 8}",
                 "pool: {queue_size: 8}, tls: {verify: false, server_name: a.test}"),
            "servers: 2 kept, 1 replaced (api/[::1]:4000); listeners: 2 kept; upstreams: 1 kept, 1 "
            "changed (api: tls.enabled, tls.server_name, tls.verify); routes unchanged");
}

TEST(ReloadReportTest, ListenersSayWhatIsDifferent) {
  EXPECT_EQ(text(":8080", ":8080\n    header_timeout: 3s\n    name: main"),
            "servers: 3 kept; listeners: 1 kept, 1 changed (:8080: header_timeout, name); "
            "upstreams: 2 kept; routes unchanged");
  EXPECT_EQ(text(":8080", ":8088"),
            "servers: 3 kept; listeners: 1 kept, 1 added (:8088), 1 retired (:8080); upstreams: 2 "
            "kept; routes unchanged");
}

TEST(ReloadReportTest, SeveralListenersOnAnyPortOfOneAddressAreKept) {
  const std::string any =
      "listeners: [{address: 127.0.0.1:0}, {address: 127.0.0.1:0}]\n"
      "upstreams: {app: {servers: [127.0.0.1:1]}}\n";
  const ReloadReport same = compare(inventory(any), inventory(any));
  EXPECT_EQ(count(same.listeners, Fate::Kept), 2u);
}

TEST(ReloadReportTest, RoutesAndTheProcess) {
  EXPECT_FALSE(report().routes_changed);
  EXPECT_TRUE(report("path: /api", "path: /v1").routes_changed);
  EXPECT_EQ(text("listeners:", "workers: 3\nadmin: off\nshutdown: {grace: 5s}\nlisteners:"),
            "servers: 3 kept; listeners: 2 kept; upstreams: 2 kept; routes unchanged; changed: "
            "admin.address, shutdown.grace, workers; admin.address needs a restart; workers needs "
            "a restart");
}

TEST(ReloadReportTest, ManyAreNotAllNamed) {
  std::string many;
  for (int i = 0; i < 10; ++i) many += ", 127.0.0.1:" + std::to_string(i + 1);
  EXPECT_EQ(text("127.0.0.1:3001]", "127.0.0.1:3001" + many + "]"),
            "servers: 3 kept, 10 added (app/127.0.0.1:1, app/127.0.0.1:2, app/127.0.0.1:3, "
            "app/127.0.0.1:4, app/127.0.0.1:5, app/127.0.0.1:6, app/127.0.0.1:7, "
            "app/127.0.0.1:8, ...); listeners: 2 kept; upstreams: 2 kept; routes unchanged");
}

TEST(ReloadReportTest, CertificatesHaveALineOfTheirOwn) {
  const auto file = [](const std::string& name, const std::string& contents, std::string note) {
    Inventory::Item item;
    item.key = item.name = name;
    item.settings = {{"contents", contents}};
    item.note = std::move(note);
    return item;
  };
  Inventory before;
  before.certificates = {file("a.crt", "1", "valid until 2026-01-01"),
                         file("b.crt", "2", "valid until 2026-01-01")};
  Inventory after;
  after.certificates = {file("a.crt", "3", "valid until 2027-01-01"),
                        file("b.crt", "2", "valid until 2026-01-01"), file("ca.pem", "4", "")};
  const ReloadReport renewed = compare(before, after);
  EXPECT_NE(to_string(renewed).find("; certificates: 1 kept, 1 changed (a.crt), 1 added (ca.pem);"),
            std::string::npos)
      << to_string(renewed);
  EXPECT_EQ(certificate_news(renewed),
            (std::vector<std::string>{"certificate a.crt has changed, valid until 2027-01-01",
                                      "certificate ca.pem is new"}));
}

}  // namespace
}  // namespace berth::server
