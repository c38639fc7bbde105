#include "proxy/config/from_flags.h"

#include <gtest/gtest.h>

#include "proxy/config/loader.h"

namespace berth::config {
namespace {

std::vector<std::string> complaints(const Flags& flags) {
  const LoadResult result = load_flags(flags);
  EXPECT_EQ(result.ok(), result.errors == 0);
  std::vector<std::string> out;
  for (const Diagnostic& diagnostic : result.diagnostics) out.push_back(to_string(diagnostic, ""));
  return out;
}

using Strings = std::vector<std::string>;

TEST(ConfigFromFlags, IsTheSameAsAShortFile) {
  const LoadResult flags = load_flags({.from = {":8080"}, .to = {"127.0.0.1:3000", "app:3001"}});
  const LoadResult file = load_text(
      "listeners: [{address: :8080}]\n"
      "upstreams: {app: {servers: [127.0.0.1:3000, app:3001]}}\n");
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags.config, file.config);
  EXPECT_TRUE(flags.diagnostics.empty());
}

TEST(ConfigFromFlags, PortsAndTheUsualListener) {
  const LoadResult result = load_flags({.to = {"3000"}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config, load_flags({.from = {":8080"}, .to = {"127.0.0.1:3000"}}).config);
  EXPECT_EQ(load_flags({.from = {"80"}, .to = {"a:1"}}).config,
            load_flags({.from = {":80"}, .to = {"a:1"}}).config);
  EXPECT_EQ(complaints({.from = {"0x50"}, .to = {"70000"}}).size(), 2U);
}

TEST(ConfigFromFlags, EveryFlag) {
  const LoadResult result = load_flags({.from = {":80", "unix:/l"},
                                        .to = {"unix:/s"},
                                        .admin = "off",
                                        .workers = "3",
                                        .access_log = "combined",
                                        .log_file = "/var/log/a.log"});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config->listeners.size(), 2U);
  EXPECT_EQ(result.config->listeners[1].name, "unix:/l");
  EXPECT_EQ(result.config->admin.address, "");
  EXPECT_EQ(result.config->workers, 3U);
  AccessLog log;
  log.path = "/var/log/a.log";
  log.format = LogFormat::Combined;
  EXPECT_EQ(result.config->access_log, log);
  EXPECT_FALSE(
      load_flags({.from = {":1"}, .to = {"a:1"}, .access_log = "off"}).config->access_log.enabled);
  EXPECT_EQ(load_flags({.from = {":1"}, .to = {"a:1"}, .workers = "auto"}).config->workers, 0U);
}

TEST(ConfigFromFlags, ErrorsNameTheFlag) {
  EXPECT_EQ(complaints({}),
            Strings{"error: --to is missing: the app server (such as --to 127.0.0.1:3000)"});
  EXPECT_EQ(complaints({.from = {"*:8080"},
                        .to = {"127.0.0.1"},
                        .admin = "9145",
                        .workers = "many",
                        .access_log = "template",
                        .log_file = "a.log"}),
            (Strings{
                "error: --from: '*:8080' is not an address (did you mean :8080?)",
                "error: --to: '127.0.0.1' has no port (such as 127.0.0.1:3000)",
                "error: --admin: '9145' is a port without a host (did you mean :9145?)",
                "error: --workers: 'many' is not a whole number (or auto: one per core)",
                "error: --access-log: unknown value 'template' (one of off, json and combined)",
                "error: --log-file: 'a.log' is not an absolute path (or - for standard output)",
            }));
  EXPECT_EQ(complaints({.from = {":1"}, .to = {"a:1"}, .workers = "0"}),
            Strings{"error: --workers: '0' is out of range, 1 to 256 (or auto: one per core)"});
}

// The servers of --to, with "tls " before them where it is on.
std::string servers(const std::vector<std::string>& to) {
  const LoadResult result = load_flags({.from = {":1"}, .to = to});
  if (!result.ok()) return "error";
  std::string out = result.config->upstreams[0].tls.enabled ? "tls" : "plain";
  for (const Server& server : result.config->upstreams[0].servers)
    out += " " + server.address.text();
  return out;
}

TEST(ConfigFromFlags, ToTakesRangesPortsAndUrls) {
  EXPECT_EQ(servers({"127.0.0.1:3000-3002"}), "plain 127.0.0.1:3000 127.0.0.1:3001 127.0.0.1:3002");
  EXPECT_EQ(servers({"[::1]:3000-3001", "a-b:1"}), "plain [::1]:3000 [::1]:3001 a-b:1");
  EXPECT_EQ(servers({":3000", ":3001-3001"}), "plain 127.0.0.1:3000 127.0.0.1:3001");
  EXPECT_EQ(servers({"3000", "3001-3002"}), "plain 127.0.0.1:3000 127.0.0.1:3001 127.0.0.1:3002");
  EXPECT_EQ(servers({"http://localhost:3000", "b:1"}), "plain localhost:3000 b:1");
  EXPECT_EQ(servers({"http://localhost/"}), "plain localhost:80");
  EXPECT_EQ(servers({"https://app.internal", "https://[::1]:8443/"}),
            "tls app.internal:443 [::1]:8443");
  EXPECT_EQ(servers({"https://a:3000-3001"}), "tls a:3000 a:3001");
  EXPECT_EQ(servers({"unix:/run/a-1.sock"}), "plain unix:/run/a-1.sock");
  EXPECT_EQ(servers({"unix:/run/a:1-2"}), "plain unix:/run/a:1-2");
}

TEST(ConfigFromFlags, WrongRangesAndUrls) {
  EXPECT_EQ(complaints({.from = {":1"}, .to = {"a:3003-3000"}}),
            Strings{"error: --to: 'a:3003-3000' is not a range of ports (such as "
                    "127.0.0.1:3000-3003, of at most 1000)"});
  EXPECT_EQ(servers({"a:1-65535"}), "error");
  EXPECT_EQ(servers({"a:0-3"}), "error");
  EXPECT_EQ(servers({"a:65535-65536"}), "error");
  EXPECT_EQ(servers({"a:1-99999999999999999999999"}), "error");
  EXPECT_EQ(servers({"http://"}), "error");
  EXPECT_EQ(complaints({.from = {":1"}, .to = {"http://a:1/path"}}),
            Strings{"error: --to: 'http://a:1/path' has a path (leave it out: Berth forwards the "
                    "path that the client asked for)"});
  EXPECT_EQ(servers({"ftp://a:1"}), "error");
  EXPECT_EQ(complaints({.from = {":1"}, .to = {"https://a", "b:1"}}),
            Strings{"error: --to: https:// for some servers and not for others (the servers of one "
                    "upstream all speak TLS or none does)"});
}

TEST(ConfigFromFlags, OnlyText) {
  EXPECT_EQ(complaints({.from = {"unix:/\xff"}, .to = {"a:1"}}),
            Strings{"error: --from: 'unix:/\xff' is not UTF-8"});
}

TEST(ConfigFromFlags, ContradictionsAreFoundToo) {
  EXPECT_EQ(complaints({.from = {":80", ":80"}, .to = {"a:1", "a:1"}}),
            (Strings{"error: duplicate listener address ':80'",
                     "error: duplicate server 'a:1' in upstream 'app'"}));
  EXPECT_EQ(complaints({.from = {":9145"}, .to = {"a:1"}}),
            Strings{"error: admin address '127.0.0.1:9145' is taken by a listener"});
}

}  // namespace
}  // namespace berth::config
