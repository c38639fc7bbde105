// Files made to hurt: they are refused, with little time and memory, and nothing crashes.
#include <gtest/gtest.h>

#include <string>

#include "proxy/config/loader.h"
#include "proxy/config/yaml_tree.h"

namespace berth::config {
namespace {

std::string repeated(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

bool mentions(const LoadResult& result, std::string_view words) {
  for (const Diagnostic& diagnostic : result.diagnostics) {
    if (diagnostic.message.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(ConfigBombs, DeepNesting) {
  for (const std::string_view opening :
       {"[", "{a: ", "[{a: ", "- ", "? ", "{? ", "a: [", "!!seq ["}) {
    const LoadResult result = load_text(repeated(opening, 20'000));
    EXPECT_FALSE(result.ok()) << opening;
    EXPECT_GE(result.errors, 1U) << opening;
  }
  std::string stairs;
  for (size_t depth = 0; depth < 1'000; ++depth) stairs += std::string(depth, ' ') + "a:\n";
  EXPECT_TRUE(mentions(load_text(stairs), "nested too deeply"));
}

TEST(ConfigBombs, DepthThatIsNeededIsAllowed) {
  std::string yaml = "x-deep: ";
  yaml += repeated("[", YamlTree::kMaxDepth - 1) + repeated("]", YamlTree::kMaxDepth - 1) + "\n";
  const std::string rest = "listeners: [{address: :80}]\nupstreams: {a: {servers: [b:1]}}\n";
  EXPECT_TRUE(load_text(yaml + rest).ok());
  EXPECT_TRUE(mentions(load_text("x-deep: [" + yaml.substr(8, yaml.size() - 9) + "]\n" + rest),
                       "nested too deeply"));
}

TEST(ConfigBombs, BillionLaughs) {
  std::string yaml = "x-0: &a0 {max_idle: 1}\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    yaml += "x-" + std::to_string(i) + ": &a" + std::to_string(i) + " {<<: [" + before + ", " +
            before + "]}\n";
  }
  yaml += "upstreams: {a: {servers: [b:1], pool: *a29}}\nlisteners: [{address: :80}]\n";
  EXPECT_TRUE(mentions(load_text(yaml), "too many values, counting those behind aliases"));
}

TEST(ConfigBombs, ListsOfAliases) {
  std::string yaml = "x-s: &s [" + repeated("b:1, ", 2'000) + "]\nlisteners: [{address: :80}]\n";
  yaml += "upstreams:\n";
  for (int i = 0; i < 900; ++i) yaml += "  u" + std::to_string(i) + ": {servers: *s}\n";
  EXPECT_TRUE(mentions(load_text(yaml), "too many values, counting those behind aliases"));
}

TEST(ConfigBombs, ManyNodes) {
  EXPECT_TRUE(mentions(load_text("x-a: [" + repeated("a,", 110'000) + "]\n"), "too many values"));
}

TEST(ConfigBombs, ManyKeys) {
  std::string yaml = "upstreams:\n";
  for (int i = 0; i < 2'000; ++i) yaml += "  u" + std::to_string(i) + ": {}\n";
  EXPECT_TRUE(mentions(load_text(yaml), "too many keys in upstreams"));
}

TEST(ConfigBombs, ManyUnknownKeysAndRoutes) {
  std::string yaml = "listeners: [{address: :80}]\nupstreams:\n";
  for (int i = 0; i < 900; ++i) yaml += "  backend" + std::to_string(i) + ": {servers: [b:1]}\n";
  yaml += "routes:\n";
  for (int i = 0; i < 10'000; ++i) yaml += "- upstream: beckend" + std::to_string(i) + "\n";
  const LoadResult result = load_text(yaml);
  EXPECT_GE(result.errors, 10'000U);
  EXPECT_LE(result.diagnostics.size(), Diagnostics::kMaxKept + 1);
}

TEST(ConfigBombs, LongLines) {
  EXPECT_FALSE(load_text("workers: " + std::string(200'000, '9')).ok());
  EXPECT_FALSE(load_text(std::string(200'000, 'k') + ": 1\n").ok());
  EXPECT_FALSE(load_text("x: \"" + std::string(200'000, '\\')).ok());
  EXPECT_FALSE(load_text(std::string(200'000, '#')).ok());
  EXPECT_FALSE(load_text(std::string(200'000, '\n')).ok());
  EXPECT_FALSE(load_text(std::string(200'000, '|')).ok());
  EXPECT_FALSE(load_text(std::string(200'000, '&')).ok());
  EXPECT_FALSE(load_text(repeated("--- a\n", 20'000)).ok());
  EXPECT_FALSE(load_text(repeated("%TAG ! a\n", 20'000)).ok());
}

TEST(ConfigBombs, TooLarge) {
  const std::string good = "listeners: [{address: :80}]\nupstreams: {a: {servers: [b:1]}}\n#";
  EXPECT_TRUE(load_text(good + std::string(YamlTree::kMaxBytes - good.size(), '.')).ok());
  EXPECT_TRUE(mentions(load_text(good + std::string(YamlTree::kMaxBytes - good.size() + 1, '.')),
                       "too large"));
  EXPECT_TRUE(mentions(load_file("/dev/zero"), "Not a file"));
}

}  // namespace
}  // namespace berth::config
