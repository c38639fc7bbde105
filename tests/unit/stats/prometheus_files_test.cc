// The files in deploy/prometheus against what the collector writes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/stats/collector.h"
#include "tests/unit/stats/repository.h"
#include "tests/unit/stats/text_format.h"

namespace berth::stats {
namespace {

bool has_promtool() {
  return std::system("command -v promtool >/dev/null 2>&1") == 0;
}

// One of each label set, so that every metric has a series.
class PrometheusFilesTest : public ::testing::Test {
 protected:
  PrometheusFilesTest() { server->connections_opened.add(); }  // else there is little to tell of it

  std::string text() const { return Collector(registry, process, "1.2.3").text(); }

  Registry registry;
  ProcfsSource process;
  std::shared_ptr<ListenerStats> listener = registry.listener(":80");
  std::shared_ptr<ServerFacts> facts = registry.server_facts("app", "a:1");
  std::shared_ptr<ServerStats> server = registry.server("app", "a:1");
  std::shared_ptr<RouteStats> route = registry.route("*/");
  std::shared_ptr<QueueStats> queue = registry.queue("app");
  std::shared_ptr<QueueFacts> queue_facts = registry.queue_facts("app");
};

struct Documented {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Documented&) const = default;
};

// The words of `cell` that stand in back quotes.
std::vector<std::string> quoted_words(const std::string& cell) {
  std::vector<std::string> words;
  std::istringstream parts(cell);
  std::string part;
  for (bool inside = false; std::getline(parts, part, '`'); inside = !inside) {
    if (inside) words.push_back(part);
  }
  return words;
}

// The rows "| `name` | type | `label`, `label` | meaning |".
std::map<std::string, Documented> documented_metrics() {
  std::istringstream file(read_repository_file("deploy/prometheus/METRICS.md"));
  std::map<std::string, Documented> rows;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line);
    for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(cell);
    if (cells.size() != 5 || quoted_words(cells[1]).size() != 1 || cells[4].size() < 10) {
      ADD_FAILURE() << "not a row: " << line;
      continue;
    }
    const auto labels = quoted_words(cells[3]);
    const Documented row{cells[2].substr(1, cells[2].size() - 2), {labels.begin(), labels.end()}};
    EXPECT_TRUE(rows.emplace(quoted_words(cells[1])[0], row).second) << "twice: " << line;
  }
  return rows;
}

TEST_F(PrometheusFilesTest, ReferenceListsEveryMetricAndNoOther) {
  const auto documented = documented_metrics();
  ASSERT_FALSE(documented.empty()) << "deploy/prometheus/METRICS.md was not found";
  const Exposition emitted = parse_exposition(text());
  for (const auto& [name, family] : emitted) {
    SCOPED_TRACE(name);
    const auto row = documented.find(name);
    if (row == documented.end()) {
      ADD_FAILURE() << "not in METRICS.md";
      continue;
    }
    std::set<std::string> labels;
    for (const auto& [label, text] : family.samples.at(0).labels) {
      if (label != "le") labels.insert(label);
    }
    EXPECT_EQ(row->second.type, family.type);
    EXPECT_EQ(row->second.labels, labels);
  }
  for (const auto& [name, row] : documented)
    EXPECT_TRUE(emitted.contains(name)) << name << " is not emitted";
}

// The names that begin with "berth_" or "process_" in `text`.
std::set<std::string> metric_names(const std::string& text) {
  std::set<std::string> names;
  for (size_t at = 0; at < text.size();) {
    const auto in_name = [&](size_t i) {
      return i < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_');
    };
    size_t end = at;
    while (in_name(end)) ++end;
    const std::string word = text.substr(at, end - at);
    if (word.starts_with("berth_") || word.starts_with("process_")) names.insert(word);
    at = end + 1;
  }
  return names;
}

TEST_F(PrometheusFilesTest, AlertsUseMetricsThatExist) {
  std::set<std::string> series;
  for (const auto& [name, family] : parse_exposition(text())) {
    series.insert(name);
    for (const Sample& sample : family.samples) series.insert(sample.name);
  }
  const auto used = metric_names(read_repository_file("deploy/prometheus/alerts.yml"));
  EXPECT_GT(used.size(), 10u);
  for (const std::string& name : used) EXPECT_TRUE(series.contains(name)) << name;
}

TEST_F(PrometheusFilesTest, PromtoolAcceptsAlertsAndScrapeConfiguration) {
  if (!has_promtool()) GTEST_SKIP() << "promtool is not installed";
  const std::string check = repository_path("deploy/prometheus/check");
  EXPECT_EQ(std::system(("sh '" + check + "' >/dev/null").c_str()), 0);
}

TEST_F(PrometheusFilesTest, PromtoolFindsNothingInTheMetrics) {
  if (!has_promtool()) GTEST_SKIP() << "promtool is not installed";
  std::string name = std::filesystem::temp_directory_path() / "berth-metrics-XXXXXX";
  const int fd = ::mkstemp(name.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  std::ofstream(name) << text();
  // What it finds it prints; the status alone tells of syntax only.
  EXPECT_EQ(std::system(("test -z \"$(promtool check metrics <" + name + " 2>&1)\"").c_str()), 0);
  std::filesystem::remove(name);
}

}  // namespace
}  // namespace berth::stats
