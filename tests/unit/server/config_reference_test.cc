#include "proxy/server/config_reference.h"

#include <gtest/gtest.h>

#include "proxy/config/key_hints.h"
#include "proxy/server/explained_file.h"
#include "tests/unit/repository_file.h"

namespace berth::server {
namespace {

KeyReference find(const std::string& path) {
  for (const KeyReference& key : config_reference()) {
    if (key.path == path) return key;
  }
  ADD_FAILURE() << "no key " << path;
  return {};
}

TEST(ExplainedFile, IsBuiltIn) {
  EXPECT_EQ(explained_file(), file_text("conf/berth.yaml"));
}

TEST(ExplainedFile, CommentsAndValues) {
  const auto found = explanations(
      "# About the file.\n"
      "\n"
      "# First line\n"
      "# and second.\n"
      "workers: auto\n"
      "listeners:\n"
      "  - # Where.\n"
      "    address: :8080\n"
      "    tls:\n"
      "      # On?\n"
      "      enabled: false\n"
      "    # After the section.\n"
      "    backlog: 1\n"
      "upstreams:\n"
      "  app:\n"
      "    servers:\n"
      "      - address: a:1\n"
      "        # Share.\n"
      "        weight: 1\n"
      "    # How.\n"
      "    balance: hash\n");
  EXPECT_EQ(found.at("workers").comment, "First line and second.");
  EXPECT_EQ(found.at("workers").value, "auto");
  EXPECT_EQ(found.at("listeners").comment, "");
  EXPECT_EQ(found.at("listeners").value, "");
  EXPECT_EQ(found.at("listeners[].address").comment, "Where.");
  EXPECT_EQ(found.at("listeners[].address").value, ":8080");
  EXPECT_EQ(found.at("listeners[].tls.enabled").comment, "On?");
  EXPECT_EQ(found.at("listeners[].backlog").comment, "After the section.");
  EXPECT_EQ(found.at("upstreams.NAME.servers[].weight").comment, "Share.");
  EXPECT_EQ(found.at("upstreams.NAME.balance").value, "hash");
  EXPECT_EQ(found.size(), 12U);
}

TEST(ConfigReference, HasEveryKeyWithAnExplanation) {
  size_t found = 0;
  for (const KeyReference& key : config_reference()) {
    ++found;
    EXPECT_GT(key.text.size(), 5U) << key.path;
    EXPECT_NE(key.values, "") << key.path;
    // Of certificates there is no default to write out.
    const bool has_default =
        !key.is_section && key.path.find("certificates[]") == std::string::npos;
    EXPECT_EQ(!key.initial.empty(), has_default) << key.path;
  }
  EXPECT_EQ(found, config::all_keys().size());
}

TEST(ConfigReference, ValuesDefaultsAndTexts) {
  const KeyReference timeout = find("upstreams.NAME.pool.queue_timeout");
  EXPECT_EQ(timeout.values, "a time from 1ms to 24h");
  EXPECT_EQ(timeout.initial, "3s");
  EXPECT_EQ(find("workers").values, "`auto`, or a number from 1 to 256");
  EXPECT_EQ(find("listeners[].max_body").values, "`unlimited`, or a size from 1B to 1024GiB");
  EXPECT_EQ(find("access_log.format").values, "`json`, `combined` or `template`");
  EXPECT_EQ(find("upstreams.NAME.pool").is_section, true);
  EXPECT_EQ(find("upstreams.NAME.tcp_keepalive.count").text,
            find("listeners[].tcp_keepalive.count").text);
  EXPECT_EQ(find("upstreams.NAME.ejection.enabled").text, "Whether `ejection` is on.");
}

TEST(ConfigReference, HelpFitsATerminal) {
  const std::string text = config_help("memory_budget");
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = text.find('\n', begin);
    ASSERT_NE(end, std::string::npos) << text;
    EXPECT_LE(end - begin, 100U) << text;
  }
}

TEST(ConfigReference, Help) {
  EXPECT_NE(config_help("").find("\nupstreams.NAME.pool.queue_size: 1024\n"), std::string::npos);
  const std::string both = config_help("keepalive_requests");
  EXPECT_TRUE(both.starts_with("listeners[].keepalive_requests\n  ")) << both;
  EXPECT_NE(both.find("\nupstreams.NAME.pool.keepalive_requests\n"), std::string::npos) << both;
  EXPECT_NE(both.find("\n  Default: 1000\n"), std::string::npos) << both;
  const std::string one = config_help("pool.keepalive_requests");
  EXPECT_TRUE(one.starts_with("upstreams.NAME.pool.keepalive_requests\n")) << one;
  const std::string section = config_help("upstreams.NAME.pool");
  EXPECT_NE(section.find("\n  Keys:\n    upstreams.NAME.pool.max_connections: 128\n"),
            std::string::npos)
      << section;
  EXPECT_EQ(section.find("upstreams.NAME.retry"), std::string::npos) << section;
  EXPECT_EQ(config_help("eepalive_requests"), "");
  EXPECT_EQ(nearest_key("queue_sizes"), "queue_size");
  EXPECT_EQ(nearest_key("max_conections"), "max_connections");
}

TEST(ConfigReference, ThePageInTheRepositoryIsThatOfThisVersion) {
  EXPECT_TRUE(file_text("docs/configuration.md") == config_markdown())
      << "docs/configuration.md is out of date: run `make docs`";
}

}  // namespace
}  // namespace berth::server
