#include "proxy/config/diff.h"

#include <gtest/gtest.h>

#include "proxy/config/loader.h"

namespace berth::config {
namespace {

using Strings = std::vector<std::string>;

constexpr std::string_view kRunning = R"(
listeners:
  - address: :8080
  - address: "[::1]:8081"
upstreams:
  app: {servers: [127.0.0.1:3000, 127.0.0.1:3001]}
  api: {servers: ["[::1]:4000"], pool: {max_connections: 8}}
routes: [{path: /api, upstream: api}, {upstream: app}]
)";

Config loaded(std::string_view yaml) {
  const LoadResult result = load_text(yaml);
  for (const Diagnostic& diagnostic : result.diagnostics) {
    if (diagnostic.level == Level::Error) ADD_FAILURE() << to_string(diagnostic, "f");
  }
  return result.config.value_or(Config{});
}

// The plan for a reload from kRunning with `before` in it replaced by `after`.
ReloadPlan plan(std::string_view before = "", std::string_view after = "") {
  std::string next(kRunning);
  const size_t at = next.find(before);
  EXPECT_NE(at, std::string::npos) << before;
  next.replace(at, before.size(), after);
  return plan_reload(loaded(kRunning), loaded(next));
}

TEST(ConfigDiff, NothingChanged) {
  const ReloadPlan same = plan();
  EXPECT_EQ(same.servers.kept,
            (Strings{"app/127.0.0.1:3000", "app/127.0.0.1:3001", "api/[::1]:4000"}));
  EXPECT_EQ(same.listeners.kept, (Strings{":8080", "[::1]:8081"}));
  EXPECT_EQ(to_string(same), "servers: 3 kept; listeners: 2 kept; routes unchanged");
}

TEST(ConfigDiff, AddingAServerKeepsTheOthers) {
  const ReloadPlan added = plan("127.0.0.1:3001]", "127.0.0.1:3001, 127.0.0.1:3002]");
  EXPECT_EQ(added.servers.kept.size(), 3U);
  EXPECT_EQ(added.servers.added, Strings{"app/127.0.0.1:3002"});
  EXPECT_EQ(added.servers.resized, Strings{});
  EXPECT_EQ(added.servers.drained, Strings{});
}

TEST(ConfigDiff, WhatAServerIsGivenIsItsOwnSetting) {
  const ReloadPlan heavier = plan("127.0.0.1:3001]", "{address: 127.0.0.1:3001, weight: 2}]");
  EXPECT_EQ(heavier.servers.resized, Strings{"app/127.0.0.1:3001"});
  EXPECT_EQ(heavier.servers.kept.size(), 2U);
  const ReloadPlan backup = plan("127.0.0.1:3001]", "{address: 127.0.0.1:3001, backup: true}]");
  EXPECT_EQ(backup.servers.resized, Strings{"app/127.0.0.1:3001"});
}

TEST(ConfigDiff, RemovingAServerDrainsIt) {
  const ReloadPlan removed = plan("127.0.0.1:3000, ", "");
  EXPECT_EQ(removed.servers.kept, (Strings{"app/127.0.0.1:3001", "api/[::1]:4000"}));
  EXPECT_EQ(removed.servers.drained, Strings{"app/127.0.0.1:3000"});
}

TEST(ConfigDiff, NewLimitsResize) {
  const ReloadPlan resized = plan("max_connections: 8", "max_connections: 16");
  EXPECT_EQ(resized.servers.resized, Strings{"api/[::1]:4000"});
  EXPECT_EQ(resized.servers.kept.size(), 2U);
}

TEST(ConfigDiff, TheSameServerInAnotherUpstreamIsAnother) {
  const ReloadPlan moved = plan("\"[::1]:4000\"", "127.0.0.1:3000");
  EXPECT_EQ(moved.servers.added, Strings{"api/127.0.0.1:3000"});
  EXPECT_EQ(moved.servers.drained, Strings{"api/[::1]:4000"});
}

TEST(ConfigDiff, SpellingIsNoChange) {
  EXPECT_EQ(plan("[::1]:4000", "[0::1]:4000").servers.drained, Strings{});
  const ReloadPlan listener = plan("[::1]:8081", "[0::1]:8081");
  EXPECT_EQ(listener.listeners.kept, (Strings{":8080", "[0::1]:8081"}));
  EXPECT_EQ(listener.listeners.drained, Strings{});
}

TEST(ConfigDiff, Listeners) {
  EXPECT_EQ(plan(":8080", ":8080\n    header_timeout: 3s").listeners.resized, Strings{":8080"});
  EXPECT_EQ(plan(":8080", ":8080\n    name: main").listeners.resized, Strings{":8080"});
  const ReloadPlan moved = plan(":8080", ":8088");
  EXPECT_EQ(moved.listeners.added, Strings{":8088"});
  EXPECT_EQ(moved.listeners.drained, Strings{":8080"});
  EXPECT_EQ(moved.listeners.kept, Strings{"[::1]:8081"});
}

TEST(ConfigDiff, RoutesAndWhatNeedsARestart) {
  EXPECT_FALSE(plan().routes_changed);
  EXPECT_TRUE(plan("path: /api", "path: /v1").routes_changed);
  const ReloadPlan restart = plan("listeners:", "workers: 3\nadmin: off\nlisteners:");
  EXPECT_EQ(restart.ignored, (Strings{"workers", "admin.address"}));
  EXPECT_EQ(to_string(restart),
            "servers: 3 kept; listeners: 2 kept; routes unchanged; workers needs a restart; "
            "admin.address needs a restart");
}

TEST(ConfigDiff, TheLogLineNamesWhatChanged) {
  EXPECT_EQ(to_string(plan("[127.0.0.1:3000, 127.0.0.1:3001]", "[127.0.0.1:3001, unix:/a]")),
            "servers: 2 kept, 1 added (app/unix:/a), 1 drained (app/127.0.0.1:3000); listeners: 2 "
            "kept; routes unchanged");
  std::string many;
  for (int i = 0; i < 10; ++i) many += ", a:" + std::to_string(i + 1);
  EXPECT_EQ(to_string(plan("127.0.0.1:3001]", "127.0.0.1:3001" + many + "]")),
            "servers: 3 kept, 10 added (app/a:1 app/a:2 app/a:3 app/a:4 app/a:5 app/a:6 app/a:7 "
            "app/a:8 ...); listeners: 2 kept; routes unchanged");
  EXPECT_EQ(to_string(ReloadPlan{}), "servers: none; listeners: none; routes unchanged");
}

}  // namespace
}  // namespace berth::config
