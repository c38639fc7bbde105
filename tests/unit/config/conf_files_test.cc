// The files in conf/ are right, and the one that explains every key does. Runs in the repository's
// top folder.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "proxy/config/key_hints.h"
#include "proxy/config/loader.h"
#include "proxy/config/schema.h"
#include "proxy/config/validate.h"
#include "proxy/config/yaml_tree.h"
#include "tests/unit/repository_file.h"

namespace berth::config {
namespace {

// The key paths that `node` writes out, in the schema's form.
void collect_keys(const YamlNode& node, const std::string& prefix, std::vector<std::string>& out) {
  if (node.kind == YamlNode::Kind::List) {
    for (const YamlNode* item : node.children) collect_keys(*item, prefix + "[]", out);
  }
  if (node.kind != YamlNode::Kind::Map) return;
  for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const std::string key = prefix == "upstreams" ? "*" : node.children[i]->text;
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    out.push_back(path);
    collect_keys(*node.children[i + 1], path, out);
  }
}

TEST(ConfFiles, TheExplainedFileIsAllDefaults) {
  const LoadResult explained = load_file("conf/berth.yaml");
  for (const Diagnostic& diagnostic : explained.diagnostics) {
    ADD_FAILURE() << to_string(diagnostic, "conf/berth.yaml");
  }
  ASSERT_TRUE(explained.ok());
  const LoadResult defaults = load_text(
      "listeners: [{address: :8080}]\n"
      "upstreams: {app: {servers: [127.0.0.1:3000]}}\n");
  EXPECT_EQ(*explained.config, *defaults.config);
}

TEST(ConfFiles, TheExplainedFileHasEveryKey) {
  std::vector<std::string> written;
  // Of certificates there is no default to write out.
  for (const char* file : {"conf/berth.yaml", "conf/examples/tls.yaml"}) {
    Diagnostics diagnostics;
    const YamlTree tree(file_text(file), diagnostics);
    ASSERT_NE(tree.root(), nullptr);
    collect_keys(*tree.root(), "", written);
  }
  for (const std::string& key : all_keys()) {
    EXPECT_NE(std::find(written.begin(), written.end(), key), written.end())
        << key << " is missing in conf/berth.yaml";
  }
}

// A key whose line before it is not a comment, a list's dash, or another key of a group that
// explains itself elsewhere in the file, has been forgotten.
TEST(ConfFiles, EveryKeyIsExplained) {
  std::istringstream lines(file_text("conf/berth.yaml"));
  std::string before;
  std::string line;
  std::string explained;  // keys with a comment, each between blanks
  std::vector<std::string> bare;
  while (std::getline(lines, line)) {
    const size_t start = line.find_first_not_of(" -");
    const size_t colon = line.find(':');
    if (start != std::string::npos && colon != std::string::npos && line[start] != '#') {
      const std::string key = line.substr(start, colon - start);
      const bool commented = before.find('#') != std::string::npos;
      if (commented) explained += " " + key + " ";
      if (!commented) bare.push_back(key);
    }
    before = line;
  }
  for (const std::string& key : bare) {
    if (key == "app" || key == "enabled") continue;  // a name; explained by "Or: ... off"
    EXPECT_NE(explained.find(" " + key + " "), std::string::npos) << key << " is not explained";
  }
}

TEST(ConfFiles, ExamplesHaveNeitherErrorsNorWarnings) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator("conf/examples")) {
    const std::string path = entry.path().string();
    const LoadResult result = load_file(path);
    EXPECT_TRUE(result.ok()) << path;
    for (const Diagnostic& diagnostic : result.diagnostics) {
      ADD_FAILURE() << to_string(diagnostic, path);
    }
    ++files;
  }
  EXPECT_GE(files, 4);
}

TEST(ConfFiles, TheExampleOfOneAppSaysHowToDoWithoutAFile) {
  EXPECT_NE(
      file_text("conf/examples/one-app.yaml").find("berth run --from :8080 --to 127.0.0.1:3000"),
      std::string::npos);
}

}  // namespace
}  // namespace berth::config
