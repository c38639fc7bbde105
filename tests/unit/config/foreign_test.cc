#include "proxy/config/foreign.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/config/loader.h"

namespace berth::config {
namespace {

std::string complaint(const std::string& text) {
  const LoadResult result = load_text(text);
  if (result.ok() || result.diagnostics.empty()) return "";
  return to_string(result.diagnostics.front(), "f");
}

const std::string kEnd =
    ", and Berth's is YAML (berth help run shows a short one; docs/comparison.md has the settings "
    "side by side)";

TEST(ForeignTest, ConfigurationsOfOtherProxiesAreRecognised) {
  EXPECT_EQ(complaint("# my site\nserver {\n  listen 80;\n}\n"),
            "f:2:1: error: this is a configuration of nginx" + kEnd);
  EXPECT_EQ(complaint("upstream app {\n  server 127.0.0.1:3000;\n}\n"),
            "f:1:1: error: this is a configuration of nginx" + kEnd);
  EXPECT_EQ(complaint("worker_processes 2;\nevents {}\nhttp {\n}\n"),
            "f:1:1: error: this is a configuration of nginx" + kEnd);
  EXPECT_EQ(complaint("example.com {\n\treverse_proxy localhost:3000\n}\n"),
            "f:1:1: error: this is a configuration of Caddy" + kEnd);
  EXPECT_EQ(complaint(":8080 {\n\treverse_proxy localhost:3000\n}\n"),
            "f:2:1: error: this is a configuration of Caddy" + kEnd);
  EXPECT_EQ(complaint("global\n  maxconn 100\nfrontend www\n  bind :80\n"),
            "f:1:1: error: this is a configuration of HAProxy" + kEnd);
}

TEST(ForeignTest, MistakesInYamlAreNotTakenForOtherProxies) {
  EXPECT_EQ(complaint("listeners: [\n  {address: ':80'}\n").find("configuration of"),
            std::string::npos);
  EXPECT_EQ(complaint("just a line\n").find("configuration of"), std::string::npos);
  EXPECT_EQ(complaint("routes:\n  - {\n    path: /,\n   ]\n").find("configuration of"),
            std::string::npos);
}

}  // namespace
}  // namespace berth::config
