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
  EXPECT_EQ(result.config->access_log, (AccessLog{true, "/var/log/a.log", LogFormat::Combined}));
  EXPECT_FALSE(
      load_flags({.from = {":1"}, .to = {"a:1"}, .access_log = "off"}).config->access_log.enabled);
  EXPECT_EQ(load_flags({.from = {":1"}, .to = {"a:1"}, .workers = "auto"}).config->workers, 0U);
}

TEST(ConfigFromFlags, ErrorsNameTheFlag) {
  EXPECT_EQ(complaints({}),
            (Strings{"error: --from is missing: where to listen (such as --from :8080)",
                     "error: --to is missing: the app server (such as --to 127.0.0.1:3000)"}));
  EXPECT_EQ(complaints({.from = {"8080"},
                        .to = {"3000"},
                        .admin = "9145",
                        .workers = "many",
                        .access_log = "text",
                        .log_file = "a.log"}),
            (Strings{
                "error: --from: '8080' is a port without a host (did you mean :8080?)",
                "error: --to: '3000' is a port without a host (did you mean 127.0.0.1:3000?)",
                "error: --admin: '9145' is a port without a host (did you mean :9145?)",
                "error: --workers: 'many' is not a whole number (or auto: one per core)",
                "error: --access-log: unknown value 'text' (one of off, json and combined)",
                "error: --log-file: 'a.log' is not an absolute path (or - for standard output)",
            }));
  EXPECT_EQ(complaints({.from = {":1"}, .to = {"a:1"}, .workers = "0"}),
            Strings{"error: --workers: '0' is out of range, 1 to 256 (or auto: one per core)"});
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
