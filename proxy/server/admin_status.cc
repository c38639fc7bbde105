#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/server/admin_pages.h"
#include "proxy/stats/labels.h"

namespace berth::server {
namespace {

using Json = nlohmann::ordered_json;

std::string_view to_string(Readiness readiness) {
  switch (readiness) {
    case Readiness::Starting:
      return "starting";
    case Readiness::Ready:
      return "ready";
    case Readiness::Draining:
      return "draining";
  }
  return "";
}

std::string utc_time(int64_t unix_ms) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text;
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {text.data(), length};
}

Json reload_part(const ReloadReport::Part& part) {
  Json out = Json::object();
  for (const std::string_view fate : stats::kPoolActionLabels) {
    out[std::string(fate)] = Json::array();
  }
  for (const ReloadReport::Entry& entry : part) {
    out[std::string(stats::kPoolActionLabels[entry.fate])].push_back(entry.name);
  }
  return out;
}

Json last_reload(const AdminContext& context) {
  const auto outcome = context.last_reload();
  if (!outcome) return nullptr;
  Json out;
  out["result"] = outcome->ok ? "success" : "failure";
  out["time"] = utc_time(outcome->time_ms);
  out["errors"] = outcome->errors;
  if (!outcome->ok) return out;
  const ReloadReport& report = outcome->report;
  out["servers"] = reload_part(report.servers);
  out["listeners"] = reload_part(report.listeners);
  out["upstreams"] = reload_part(report.upstreams);
  out["certificates"] = reload_part(report.certificates);
  out["routes_changed"] = report.routes_changed;
  out["settings_changed"] = report.settings;
  out["needs_restart"] = report.needs_restart;
  return out;
}

template <class State, size_t N>
Json connections(const EnumArray<State, stats::Gauge, N>& gauges,
                 const EnumArray<State, std::string_view, N>& states) {
  Json out = Json::object();
  for (size_t i = 0; i < N; ++i) {
    const auto state = static_cast<State>(i);
    out[std::string(states[state])] = std::max<int64_t>(gauges[state].value(), 0);
  }
  return out;
}

template <class Counters>
uint64_t total(const Counters& counters) {
  return std::accumulate(counters.begin(), counters.end(), uint64_t{0},
                         [](uint64_t sum, const stats::Counter& one) { return sum + one.value(); });
}

Json listener(const stats::Snapshot::Listener& listener) {
  uint64_t requests = 0;
  for (const auto& protocol : listener.stats->requests) {
    for (const auto& codes : protocol) requests += total(codes);
  }
  Json out;
  out["name"] = listener.name;
  out["connections"] = connections(listener.stats->connections, stats::kClientStateLabels);
  out["connections_accepted"] = listener.stats->connections_accepted.value();
  out["requests"] = requests;
  out["requests_refused"] = total(listener.stats->requests_refused);
  return out;
}

Json server(const stats::Snapshot::Server& server) {
  Json out;
  out["address"] = server.address;
  if (server.facts != nullptr) {
    const auto& facts = *server.facts;
    out["up"] = facts.state.load() == stats::ServerState::Ready;
    out["state"] = stats::label(facts.state.load());
    out["limit"] = facts.connections_limit.load();
    out["keepalive"] = {
        {"seconds", static_cast<double>(facts.learned_keepalive_ms.load()) / 1000},
        {"source", stats::label(facts.learned_source.load())},
        {"margin_seconds", static_cast<double>(facts.keepalive_margin_ms.load()) / 1000}};
  }
  out["connections"] = connections(server.stats->connections, stats::kUpstreamStateLabels);
  out["connections_opened"] = server.stats->connections_opened.value();
  out["connect_failures"] = total(server.stats->connect_failures);
  out["requests"] = total(server.stats->requests);
  return out;
}

Json queue(const stats::Snapshot::Queue& queue) {
  Json out;
  out["length"] = std::max<int64_t>(queue.stats->length.value(), 0);
  if (queue.facts != nullptr) out["limit"] = queue.facts->limit.load();
  out["rejected"] = total(queue.stats->rejected);
  return out;
}

Json upstreams(const stats::Snapshot& now) {
  std::map<std::string, Json> by_name;
  for (const auto& one : now.queues) by_name[one.upstream]["queue"] = queue(one);
  for (const auto& one : now.servers) by_name[one.upstream]["servers"].push_back(server(one));
  Json out = Json::array();
  for (auto& [name, parts] : by_name) {
    Json upstream;
    upstream["name"] = name;
    upstream["queue"] = std::move(parts["queue"]);
    upstream["servers"] = std::move(parts["servers"]);
    out.push_back(std::move(upstream));
  }
  return out;
}

Json memory(const stats::ProcessStats& process, const stats::WorkerStats& workers) {
  Json out;
  out["buffered"] = process.buffered_memory != nullptr ? process.buffered_memory() : 0;
  out["budget"] = process.memory_budget.value();
  out["ended_for_memory"] = workers.memory_losses.value();
  return out;
}

}  // namespace

std::string admin_status(const AdminContext& context) {
  const stats::Snapshot now = context.registry().snapshot();
  Json out;
  out["version"] = context.version();
  out["state"] = to_string(context.readiness());
  out["uptime_seconds"] = to_seconds(context.uptime());
  out["generation"] = context.generation();
  out["last_reload"] = last_reload(context);
  out["workers"] = now.worker_count;
  out["memory"] = memory(context.registry().process(), *now.workers);
  out["listeners"] = Json::array();
  for (const auto& one : now.listeners) out["listeners"].push_back(listener(one));
  out["upstreams"] = upstreams(now);
  // Names come from the configuration: whatever they hold, the answer is valid UTF-8.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace berth::server
