#include "proxy/config/printer.h"

#include <gtest/gtest.h>

#include <set>

#include "proxy/config/key_hints.h"
#include "proxy/config/loader.h"
#include "proxy/config/schema.h"
#include "tests/unit/config/shifter.h"

namespace berth::config {
namespace {

Listener listener(const std::string& name, const std::string& address) {
  Listener out;
  out.name = name;
  out.address = address;
  return out;
}

Config smallest() {
  Config config;
  config.listeners.push_back(listener(":80", ":80"));
  config.upstreams.emplace_back().name = "app";
  config.upstreams[0].servers = {{"127.0.0.1:3000"}};
  config.routes.emplace_back().upstream = "app";
  return config;
}

// What the printed configuration loads to.
Config reloaded(const Config& config) {
  const LoadResult result = load_text(print(config));
  for (const Diagnostic& diagnostic : result.diagnostics) {
    if (diagnostic.level == Level::Error) ADD_FAILURE() << to_string(diagnostic, "printed");
  }
  return result.config.value_or(Config{});
}

TEST(ConfigPrinter, DefaultsRoundTrip) {
  EXPECT_EQ(reloaded(smallest()), smallest());
}

TEST(ConfigPrinter, ReadsAsPeopleWrite) {
  const std::string text = print(smallest());
  for (const std::string_view line :
       {"\n  - address: \":80\"\n", "\n    keepalive_timeout: 75s\n", "\n    max_body: 1GiB\n",
        "\n    max_connections: auto\n", "\n    unix_mode: 0660\n",
        "\n      keepalive_timeout: auto\n", "\n      idle: 60s\n",
        "\n  - host: \"*\"\n    path: /\n    upstream: app\n", "\n      set: {}\n",
        "\n      remove: []\n", "\n  trusted_proxies: []\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
  EXPECT_TRUE(text.starts_with("workers: auto\n"));
  EXPECT_TRUE(text.ends_with("\nshutdown:\n  delay: 1s\n  grace: 30s\n"));
}

TEST(ConfigPrinter, UnusualTextsRoundTrip) {
  Config config = smallest();
  HeaderRules& rules = config.routes[0].request_headers;
  rules.set = {
      {"X-Quote", "a \"b\" \\ c"}, {"X-Empty", ""},    {"X-Tab", "a\tb"},   {"X-Colon", "a: b # c"},
      {"X-Word", "true"},          {"X-Null", "null"}, {"X-Number", "010"}, {"X-Star", "*x"},
      {"X-Utf8", "\xc3\xa9"},      {"~", "-"},         {"null", "~"},       {"X-Brace", "{a}"},
      {"X-Merge", "<<"},           {"X-Bang", "!x"},   {"-", "- a"}};
  rules.remove = {"*", "#", "!x", "&a"};
  config.upstreams[0].name = config.routes[0].upstream = "null";
  config.access_log.path = "/var/log/my app: 1.log";
  config.listeners[0].name = "on";
  EXPECT_EQ(reloaded(config), config);
}

TEST(ConfigPrinter, EveryKeyRoundTrips) {
  Config config = smallest();
  config.listeners[0].tls.certificates.emplace_back();
  Shifter shifter;
  visit_keys(shifter, config);
  config.listeners[0].redirect_to_https = 0;  // not with TLS; in the second round
  config.upstreams[0].pool.min_idle = 0;      // not with a PROXY header; in the second round
  config.spool.enabled = true;                // not off with request_body: spool; then neither is
  ASSERT_NE(config, smallest());
  config.upstreams[0].servers.push_back({"unix:/a.sock"});  // not all may be backups
  EXPECT_EQ(reloaded(config), config);
  visit_keys(shifter, config);
  EXPECT_EQ(reloaded(config), config);
}

TEST(ConfigPrinter, TheLongestAddressIsAName) {
  Config config = smallest();
  const std::string address = "unix:/" + std::string(106, ',');
  config.listeners[0] = listener(address, address);
  EXPECT_EQ(reloaded(config), config);
}

TEST(ConfigPrinter, SeveralOfEach) {
  Config config = smallest();
  config.listeners.push_back(listener("b", "[::1]:81"));
  config.upstreams.push_back(config.upstreams[0]);
  config.upstreams[1].name = "b.c-d/e:f";
  config.upstreams[1].servers.push_back({"unix:/a.sock"});
  config.routes.push_back(config.routes[0]);
  config.routes[1].host = "*.a.b";
  config.routes[1].path = "/x";
  config.routes[1].upstream = "b.c-d/e:f";
  EXPECT_EQ(reloaded(config), config);
}

TEST(ConfigPrinter, TheSchemaHasNoKeyTwice) {
  const std::vector<std::string>& keys = all_keys();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
  EXPECT_GT(keys.size(), 60U);
}

}  // namespace
}  // namespace berth::config
