#include "proxy/stats/collector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <set>
#include <thread>

#include "proxy/stats/labels.h"
#include "tests/unit/stats/text_format.h"

namespace berth::stats {
namespace {

class FakeProcess final : public ProcessSource {
 public:
  std::optional<ProcessFacts> read() const override { return facts; }
  std::optional<ProcessFacts> facts = ProcessFacts{1.5, 1700000000.25, 1024, 2048, 17, 1000};
};

// One listener, one server, one queue, two workers.
class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest() { server->connections_opened.add(); }  // else there is little to tell of it

  Exposition scrape() const {
    return parse_exposition(Collector(registry, process, "1.2.3").text());
  }

  // The one sample with these labels, if there is one.
  static std::optional<double> value(const Exposition& all, const std::string& family,
                                     const LabelPairs& labels, const std::string& suffix = "") {
    const auto at = all.find(family);
    if (at == all.end()) return std::nullopt;
    for (const Sample& sample : at->second.samples) {
      if (sample.name == family + suffix && sample.labels == labels) return sample.value;
    }
    return std::nullopt;
  }
  std::optional<double> value(const std::string& family, const LabelPairs& labels) const {
    return value(scrape(), family, labels);
  }

  Registry registry;
  FakeProcess process;
  std::shared_ptr<ListenerStats> listener = registry.listener(":80");
  std::shared_ptr<ListenerStats> listener_too = registry.listener(":80");
  std::shared_ptr<ServerFacts> facts = registry.server_facts("app", "a:1");
  std::shared_ptr<ServerStats> server = registry.server("app", "a:1");
  std::shared_ptr<RouteStats> route = registry.route("*/");
  std::shared_ptr<QueueStats> queue = registry.queue("app");
  std::shared_ptr<QueueFacts> queue_facts = registry.queue_facts("app");
  std::shared_ptr<WorkerStats> worker = registry.worker(0);
  const LabelPairs at_listener = {{"listener", ":80"}};
  const LabelPairs at_server = {{"upstream", "app"}, {"server", "a:1"}};
};

Family family(const Exposition& all, const std::string& name) {
  const auto at = all.find(name);
  return at == all.end() ? Family{} : at->second;
}

TEST_F(CollectorTest, SumsWorkersUnderTheirLabels) {
  listener->requests[Protocol::Http1][2][status_slot(404)].add(3);
  listener_too->requests[Protocol::Http1][2][status_slot(404)].add(4);
  listener->requests[Protocol::Http2][2][status_slot(404)].add(2);
  listener->requests[Protocol::Http1][0][status_slot(418)].add(1);
  listener->connections[ClientState::Idle].add(5);
  listener_too->connections[ClientState::Idle].sub(2);
  const Exposition all = scrape();
  EXPECT_EQ(
      value(all, "berth_client_requests_total",
            {{"listener", ":80"}, {"protocol", "http/1"}, {"method", "POST"}, {"code", "404"}}),
      7);
  EXPECT_EQ(
      value(all, "berth_client_requests_total",
            {{"listener", ":80"}, {"protocol", "http/2"}, {"method", "POST"}, {"code", "404"}}),
      2);
  EXPECT_EQ(
      value(all, "berth_client_requests_total",
            {{"listener", ":80"}, {"protocol", "http/1"}, {"method", "GET"}, {"code", "4xx"}}),
      1);
  EXPECT_EQ(value(all, "berth_client_connections", {{"listener", ":80"}, {"state", "idle"}}), 3);
}

TEST_F(CollectorTest, GaugesAreNeverShownBelowZero) {
  listener->connections[ClientState::Reading].sub(1);
  EXPECT_EQ(value("berth_client_connections", {{"listener", ":80"}, {"state", "reading"}}), 0);
}

TEST_F(CollectorTest, HistogramsAreInBaseUnits) {
  listener->request_duration.observe(100);         // microseconds
  listener->request_duration.observe(70'000'000);  // beyond the last bound
  listener->connection_age.observe(4'000);         // milliseconds
  const Exposition all = scrape();
  const auto bucket = [&](const std::string& name, const std::string& le) {
    return value(all, name, {{"listener", ":80"}, {"le", le}}, "_bucket");
  };
  EXPECT_EQ(bucket("berth_client_request_duration_seconds", "0.0001"), 1);
  EXPECT_EQ(bucket("berth_client_request_duration_seconds", "60"), 1);
  EXPECT_EQ(bucket("berth_client_request_duration_seconds", "+Inf"), 2);
  EXPECT_DOUBLE_EQ(*value(all, "berth_client_request_duration_seconds", at_listener, "_sum"),
                   70.0001);
  EXPECT_EQ(value(all, "berth_client_request_duration_seconds", at_listener, "_count"), 2);
  EXPECT_EQ(bucket("berth_client_connection_age_seconds", "2"), 0);
  EXPECT_EQ(bucket("berth_client_connection_age_seconds", "4"), 1);
}

TEST_F(CollectorTest, ServerFacts) {
  facts->connections_limit = 128;
  facts->learned_keepalive_ms = 4'500;
  facts->learned_source = LearnedSource::Hint;
  facts->keepalive_margin_ms = 1'000;
  facts->state = ServerState::BackingOff;
  queue_facts->limit = 1024;
  const Exposition all = scrape();
  EXPECT_EQ(value(all, "berth_upstream_connections_limit", at_server), 128);
  EXPECT_EQ(value(all, "berth_upstream_learned_keepalive_seconds",
                  {{"upstream", "app"}, {"server", "a:1"}, {"source", "hint"}}),
            4.5);
  EXPECT_EQ(family(all, "berth_upstream_learned_keepalive_seconds").samples.size(), 1u);
  EXPECT_EQ(value(all, "berth_upstream_keepalive_margin_seconds", at_server), 1);
  EXPECT_EQ(value(all, "berth_upstream_server_up", at_server), 0);
  EXPECT_EQ(value(all, "berth_upstream_queue_limit", {{"upstream", "app"}}), 1024);
}

TEST_F(CollectorTest, ProcessMetrics) {
  registry.process().config_reloads[ReloadResult::Failure].add(2);
  registry.process().last_reload_success_ms.set(1'700'000'000'500);
  registry.process().reload_pools[PoolAction::Kept].add(3);
  worker->access_log_dropped.add(6);
  const Exposition all = scrape();
  EXPECT_EQ(value(all, "berth_build_info", {{"version", "1.2.3"}}), 1);
  EXPECT_EQ(value(all, "berth_config_reloads_total", {{"result", "success"}}), 0);
  EXPECT_EQ(value(all, "berth_config_reloads_total", {{"result", "failure"}}), 2);
  EXPECT_EQ(value(all, "berth_config_last_reload_success_timestamp_seconds", {}), 1'700'000'000.5);
  EXPECT_EQ(value(all, "berth_reload_pools_total", {{"action", "kept"}}), 3);
  EXPECT_EQ(value(all, "berth_access_log_dropped_total", {}), 6);
  EXPECT_EQ(value(all, "process_cpu_seconds_total", {}), 1.5);
  EXPECT_EQ(value(all, "process_start_time_seconds", {}), 1700000000.25);
  EXPECT_EQ(value(all, "process_resident_memory_bytes", {}), 1024);
  EXPECT_EQ(value(all, "process_virtual_memory_bytes", {}), 2048);
  EXPECT_EQ(value(all, "process_open_fds", {}), 17);
  EXPECT_EQ(value(all, "process_max_fds", {}), 1000);
}

TEST_F(CollectorTest, ScrapeWorksWithoutProc) {
  process.facts.reset();
  const Exposition all = scrape();
  EXPECT_FALSE(all.contains("process_open_fds"));
  EXPECT_TRUE(all.contains("berth_build_info"));
}

std::set<std::string> reasons_shown(const Exposition& all, const std::string& name) {
  std::set<std::string> reasons;
  for (const Sample& sample : family(all, name).samples)
    reasons.insert(sample.labels.back().second);
  return reasons;
}

TEST_F(CollectorTest, ReasonsAreThoseThatCanOccurThere) {
  const Exposition all = scrape();
  const auto client = reasons_shown(all, "berth_client_connections_closed_total");
  EXPECT_TRUE(client.contains("keepalive_timeout"));
  EXPECT_TRUE(client.contains("bad_host"));
  EXPECT_FALSE(client.contains("stale_reuse"));
  const auto upstream = reasons_shown(all, "berth_upstream_connections_closed_total");
  EXPECT_TRUE(upstream.contains("keepalive_timeout"));
  EXPECT_TRUE(upstream.contains("stale_reuse"));
  EXPECT_FALSE(upstream.contains("bad_host"));
  const auto failures = reasons_shown(all, "berth_upstream_connect_failures_total");
  EXPECT_EQ(failures,
            (std::set<std::string>{"connect_refused", "connect_timeout", "connect_unreachable",
                                   "connect_failed", "no_local_resources", "server_tls_failed",
                                   "server_certificate", "server_certificate_name",
                                   "server_certificate_expired", "server_certificate_not_yet_valid",
                                   "server_certificate_self_signed", "server_certificate_issuer",
                                   "server_certificate_chain", "server_wants_certificate",
                                   "server_speaks_http2", "bytes_while_idle"}));
  const auto refused = reasons_shown(all, "berth_client_requests_refused_total");
  EXPECT_TRUE(refused.contains("queue_full"));
  EXPECT_TRUE(refused.contains("header_timeout"));
  EXPECT_FALSE(refused.contains("keepalive_timeout"));
}

TEST_F(CollectorTest, AServerThatNobodyUsedHasNeitherReasonsNorHistograms) {
  const auto unused = registry.server("app", "b:1");
  const std::pair<std::string, std::string> label = {"server", "b:1"};
  const auto lines = [&] {
    std::set<std::string> names;
    for (const auto& [name, family] : scrape()) {
      for (const Sample& sample : family.samples) {
        const auto& labels = sample.labels;
        if (std::find(labels.begin(), labels.end(), label) != labels.end()) names.insert(name);
      }
    }
    return names;
  };
  EXPECT_TRUE(lines().contains("berth_upstream_connections_opened_total"));
  EXPECT_FALSE(lines().contains("berth_upstream_connections_closed_total"));
  EXPECT_FALSE(lines().contains("berth_upstream_connect_duration_seconds"));
  unused->connections_opened.add();
  EXPECT_TRUE(lines().contains("berth_upstream_connections_closed_total"));
  EXPECT_TRUE(lines().contains("berth_upstream_connect_duration_seconds"));
}

TEST_F(CollectorTest, EveryReasonIsShownSomewhere) {
  const Exposition all = scrape();
  std::set<std::string> shown;
  for (const char* name :
       {"berth_client_connections_closed_total", "berth_client_requests_refused_total",
        "berth_upstream_connections_closed_total", "berth_upstream_connect_failures_total"}) {
    shown.merge(reasons_shown(all, name));
  }
  for (size_t at = 1; at < kCloseReasonCount; ++at) {
    EXPECT_TRUE(shown.contains(std::string(kCloseReasons[at].label))) << kCloseReasons[at].label;
  }
}

TEST_F(CollectorTest, ReasonOutOfPlaceIsShownOnceItCounts) {
  server->connections_closed[CloseReason::BadHost].add(1);
  EXPECT_EQ(value("berth_upstream_connections_closed_total",
                  {{"upstream", "app"}, {"server", "a:1"}, {"reason", "bad_host"}}),
            1);
}

TEST_F(CollectorTest, ClassesOfARouteThatItNeverAnsweredWithAreNotShown) {
  const auto count = [&](std::string_view status) {
    return value(scrape(), "berth_route_request_duration_seconds",
                 {{"route", "*/"}, {"class", std::string(status)}}, "_count");
  };
  EXPECT_EQ(count("2xx"), 0);
  EXPECT_EQ(count("5xx"), 0);
  EXPECT_EQ(count("4xx"), std::nullopt);
  route->request_duration[class_of(404)].observe(1);
  route->request_duration[class_of(101)].observe(1);
  route->request_duration[class_of(999)].observe(1);
  EXPECT_EQ(count("4xx"), 1);
  EXPECT_EQ(count("1xx"), 1);
  EXPECT_EQ(count("5xx"), 1);
}

TEST_F(CollectorTest, FreshScrapeIsShort) {
  const Exposition all = scrape();
  size_t samples = 0;
  for (const auto& [name, one] : all) samples += one.samples.size();
  EXPECT_LT(samples, 580u);
  EXPECT_EQ(family(all, "berth_client_requests_total").samples.size(), 7u * 5u);
  EXPECT_EQ(family(all, "berth_upstream_requests_total").samples.size(), 5u);
}

TEST_F(CollectorTest, LabelsAreEscaped) {
  const auto odd = registry.listener("a\"b\\c\nd");
  odd->sent_bytes.add(8);
  EXPECT_EQ(value("berth_client_sent_bytes_total", {{"listener", "a\"b\\c\nd"}}), 8);
}

// What `promtool check metrics` and a parser demand.
TEST_F(CollectorTest, KeepsTheRulesOfTheFormat) {
  listener->request_duration.observe(150);
  server->connect_duration.observe(2'000);
  const Exposition all = scrape();
  for (const auto& [name, family] : all) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(family.help.empty());
    EXPECT_EQ(family.help.back(), '.');
    EXPECT_FALSE(family.samples.empty());
    EXPECT_EQ(name.ends_with("_total"), family.type == "counter");
    for (const char* unit : {"milliseconds", "_ms", "microseconds", "_us", "kib", "minutes"}) {
      EXPECT_EQ(name.find(unit), std::string::npos) << unit;
    }
    std::set<std::pair<std::string, LabelPairs>> seen;
    for (const Sample& sample : family.samples) {
      EXPECT_TRUE(seen.insert({sample.name, sample.labels}).second) << "twice: " << sample.name;
      EXPECT_GE(sample.value, 0);
    }
  }
}

// In each histogram's series: bounds rise, counts are cumulative, the last bucket is +Inf and
// equals _count.
TEST_F(CollectorTest, HistogramsAreCumulative) {
  for (const uint64_t micros : {50, 150, 150, 2'000, 90'000'000})
    listener->request_duration.observe(micros);
  size_t histograms = 0;
  for (const auto& [name, family] : scrape()) {
    if (family.type != "histogram") continue;
    SCOPED_TRACE(name);
    double count = -1;
    double bound = -1;
    double cumulative = 0;
    for (const Sample& sample : family.samples) {
      if (sample.name == name + "_count") {
        count = sample.value;
        bound = -1;
        cumulative = 0;
      } else if (sample.name == name + "_bucket") {
        const double le = std::stod(sample.labels.back().second);
        EXPECT_GT(le, bound);
        EXPECT_GE(sample.value, cumulative);
        bound = le;
        cumulative = sample.value;
        EXPECT_TRUE(!std::isinf(le) || sample.value == count);
      }
    }
    EXPECT_TRUE(std::isinf(bound));
    ++histograms;
  }
  EXPECT_EQ(histograms, 13u);
}

// --- Threads ---

TEST_F(CollectorTest, ThreadedScrapeWhileAWorkerCounts) {
  std::atomic<bool> stop{false};
  std::thread counting([&] {
    while (!stop) {
      listener->requests[Protocol::Http1][0][0].add();
      listener->request_duration.observe(5);
      facts->learned_keepalive_ms = 4'000;
      queue->length.add();
      queue->length.sub();
    }
  });
  double last = 0;
  for (int i = 0; i < 20; ++i) {
    const auto now = value("berth_client_request_duration_seconds", {});
    EXPECT_FALSE(now) << "it has labels";
    const Exposition all = scrape();
    const double count =
        *value(all, "berth_client_request_duration_seconds", at_listener, "_count");
    EXPECT_GE(count, last);
    last = count;
  }
  stop = true;
  counting.join();
}

}  // namespace
}  // namespace berth::stats
