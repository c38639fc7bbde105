#include "proxy/config/diff.h"

#include <gtest/gtest.h>

#include "proxy/config/key_hints.h"
#include "proxy/config/loader.h"

namespace berth::config {
namespace {

using Strings = std::vector<std::string>;

Settings settings(std::string_view more) {
  const LoadResult result =
      load_text("listeners: [{address: :8080}]\nupstreams: {app: {servers: [127.0.0.1:3000]}}\n" +
                std::string(more));
  EXPECT_TRUE(result.ok()) << more;
  return settings_of(result.config.value_or(Config{}));
}

TEST(ConfigDiff, TellsWhichKeysHaveChanged) {
  const Settings before = settings("");
  EXPECT_EQ(changed_keys(before, before), Strings{});
  EXPECT_EQ(changed_keys(before, settings("shutdown: {grace: 31s}\nworkers: 3")),
            (Strings{"shutdown.grace", "workers"}));
  EXPECT_EQ(changed_keys(before, settings("admin: off")), Strings{"admin.address"});
}

TEST(ConfigDiff, WhatOnlyOneOfThemHasIsAChange) {
  const Settings before = settings("");
  const Settings after = settings("routes: [{path: /api, upstream: app}, {upstream: app}]");
  const Strings added = changed_keys(before, after);
  const Strings removed = changed_keys(after, before);
  EXPECT_EQ(added, removed);
  EXPECT_NE(std::find(added.begin(), added.end(), "routes[1].host"), added.end());
}

TEST(ConfigDiff, ValuesAreAsPeopleWriteThem) {
  const Settings all = settings("");
  EXPECT_EQ(all.at("listeners[0].keepalive_timeout"), "75s");
  EXPECT_EQ(all.at("upstreams.app.servers[0].address"), "\"127.0.0.1:3000\"");
  EXPECT_EQ(all.at("upstreams.app.pool.max_idle"), "32");
  EXPECT_EQ(all.at("memory_budget"), "256MiB");
}

TEST(ConfigDiff, OnlyWhatIsMadeOnceNeedsARestart) {
  Strings need;
  for (const std::string& key : all_keys()) {
    if (needs_restart(key)) need.push_back(key);
  }
  EXPECT_EQ(need, (Strings{"workers", "admin.address"}));
}

}  // namespace
}  // namespace berth::config
