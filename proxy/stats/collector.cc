#include "proxy/stats/collector.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "proxy/stats/families.h"
#include "proxy/stats/labels.h"
#include "proxy/stats/side.h"
#include "proxy/stats/status_code.h"

namespace berth::stats {

// Found by argument-dependent lookup from Side.
static Labels labels_of(const Snapshot::Listener& listener) {
  return {{"listener", listener.name}};
}
static Labels labels_of(const Snapshot::Server& server) {
  return {{"upstream", server.upstream}, {"server", server.address}};
}
static Labels labels_of(const Snapshot::Route& route) {
  return {{"route", route.route}};
}
static Labels labels_of(const Snapshot::Queue& queue) {
  return {{"upstream", queue.upstream}};
}
static bool is_unused(const Snapshot::Listener&) {
  return false;
}
static bool is_unused(const Snapshot::Server& server) {
  return server.stats->connections_opened.value() == 0;
}
static bool is_unused(const Snapshot::Queue&) {
  return false;
}

namespace {

using ClientSide = Side<Snapshot::Listener, ListenerStats>;
using UpstreamSide = Side<Snapshot::Server, ServerStats>;
using RouteSide = Side<Snapshot::Route, RouteStats>;
using QueueSide = Side<Snapshot::Queue, QueueStats>;

constexpr std::array<std::string_view, 5> kFirstCodes = {"200", "500", "502", "503", "504"};
constexpr size_t kFirstMethods = 7;  // GET to OPTIONS

bool shown_at_zero(std::string_view code) {
  return std::find(kFirstCodes.begin(), kFirstCodes.end(), code) != kFirstCodes.end();
}

void add_codes(MetricFamily& family, const Labels& labels, const StatusCounters& codes,
               bool first) {
  for (size_t slot = 0; slot < kStatusSlots; ++slot) {
    const std::string_view code = status_slot_label(slot);
    if (codes[slot].value() == 0 && !(first && shown_at_zero(code))) continue;
    add_value(family, with(labels, "code", code), codes[slot]);
  }
}

double seconds_from_ms(int64_t ms) {
  return static_cast<double>(ms) / 1000;
}

void client_connections(ClientSide& side) {
  side.gauges("berth_client_connections", "Client connections by what they are doing.", "state",
              kClientStateLabels, &ListenerStats::connections);
  side.counter("berth_client_connections_accepted_total", "Client connections accepted.",
               &ListenerStats::connections_accepted);
  side.reasons("berth_client_connections_closed_total", "Client connections closed, by reason.",
               ReasonKind::ClientClose, &ListenerStats::connections_closed);
  side.histogram("berth_client_requests_per_connection",
                 "Requests that a client connection had carried when it closed.",
                 &ListenerStats::requests_per_connection);
  side.histogram("berth_client_connection_age_seconds",
                 "Age of client connections when they closed.", &ListenerStats::connection_age);
  side.gauge("berth_client_streams", "Requests under way over HTTP/2.", &ListenerStats::streams);
  side.counters("berth_client_streams_reset_total",
                "HTTP/2 streams that ended with RST_STREAM, by who was the cause.", "by",
                kStreamResetLabels, &ListenerStats::streams_reset);
  side.counter("berth_client_received_bytes_total", "Bytes received from clients.",
               &ListenerStats::received_bytes);
  side.counter("berth_client_sent_bytes_total", "Bytes sent to clients.",
               &ListenerStats::sent_bytes);
}

void client_handshakes(ClientSide& side) {
  auto& handshakes = side.out().counter("berth_client_tls_handshakes_total",
                                        "TLS handshakes with clients, by version of TLS.");
  for (const auto& listener : side.items()) {
    for (const TlsVersion version : {TlsVersion::Tls12, TlsVersion::Tls13}) {
      add_each(handshakes, with(labels_of(listener), "version", kTlsVersionLabels[version]),
               "resumed", kResumedLabels, listener.stats->tls_handshakes[version]);
    }
  }
  side.reasons("berth_client_handshake_failures_total",
               "Client connections whose TLS handshake or PROXY header failed, by reason.",
               ReasonKind::HandshakeFailure, &ListenerStats::handshake_failures);
}

void client_requests(ClientSide& side) {
  auto& requests = side.out().counter(
      "berth_client_requests_total",
      "Requests answered, by protocol, method and the status sent to the client.");
  for (const auto& listener : side.items()) {
    for (const Protocol protocol : {Protocol::Http1, Protocol::Http2}) {
      const Labels labels = with(labels_of(listener), "protocol", kProtocolLabels[protocol]);
      for (size_t method = 0; method < kMethodSlots; ++method) {
        add_codes(requests, with(labels, "method", kMethodLabels[method]),
                  listener.stats->requests[protocol][method],
                  protocol == Protocol::Http1 && method < kFirstMethods);
      }
    }
  }
  side.reasons("berth_client_requests_refused_total",
               "Requests that Berth answered with an error of its own, by reason.",
               ReasonKind::Refusal, &ListenerStats::requests_refused);
  side.histogram("berth_client_request_duration_seconds",
                 "Time from the first byte of a request to the last byte of its response.",
                 &ListenerStats::request_duration);
}

void upstream_connections(UpstreamSide& side) {
  side.gauges("berth_upstream_connections", "Upstream connections by what they are doing.", "state",
              kUpstreamStateLabels, &ServerStats::connections);
  side.fact("berth_upstream_connections_limit",
            "Upper bound of the connections to one server, over all workers (max_connections).",
            [](const ServerFacts& facts) { return facts.connections_limit.load(); });
  side.counter("berth_upstream_connections_opened_total",
               "Upstream connections opened, failed attempts included.",
               &ServerStats::connections_opened);
  side.reasons("berth_upstream_connect_failures_total",
               "Attempts to open an upstream connection that failed, by reason.",
               ReasonKind::ConnectFailure, &ServerStats::connect_failures);
  side.counters("berth_upstream_tls_handshakes_total", "TLS handshakes with servers.", "resumed",
                kResumedLabels, &ServerStats::tls_handshakes);
  side.reasons("berth_upstream_connections_closed_total", "Upstream connections closed, by reason.",
               ReasonKind::UpstreamClose, &ServerStats::connections_closed);
  side.counter("berth_upstream_close_timeouts_total",
               "Connections that were reset because the server did not let go of them within "
               "pool.close_timeout.",
               &ServerStats::close_timeouts);
  side.histogram("berth_upstream_connect_duration_seconds",
                 "Time that it took to open an upstream connection.",
                 &ServerStats::connect_duration);
  side.histogram("berth_upstream_requests_per_connection",
                 "Requests that an upstream connection had carried when it closed.",
                 &ServerStats::requests_per_connection);
}

void upstream_reuse(UpstreamSide& side) {
  side.counters("berth_upstream_acquisitions_total",
                "Upstream connections given to requests, by how they were had.", "source",
                kAcquireSourceLabels, &ServerStats::acquisitions);
  side.histogram("berth_upstream_idle_age_at_reuse_seconds",
                 "How long reused connections had been idle.", &ServerStats::idle_age_at_reuse);
  side.histogram("berth_upstream_idle_age_at_peer_close_seconds",
                 "How long connections had been idle when the server closed them.",
                 &ServerStats::idle_age_at_peer_close);
  side.counters("berth_upstream_stale_reuse_total",
                "Reused connections that the server had closed, by what became of the request.",
                "outcome", kStaleOutcomeLabels, &ServerStats::stale_reuse);
  auto& learned =
      side.out().gauge("berth_upstream_learned_keepalive_seconds",
                       "Idle age up to which connections are reused, by where it comes from.");
  for (const auto& server : side.items()) {
    if (server.facts == nullptr) continue;
    const LearnedSource source = server.facts->learned_source.load();
    add_value(learned, with(labels_of(server), "source", kLearnedSourceLabels[source]),
              seconds_from_ms(server.facts->learned_keepalive_ms.load()));
  }
  side.fact(
      "berth_upstream_keepalive_margin_seconds",
      "How long before the server's own keep-alive limit connections are given up.",
      [](const ServerFacts& facts) { return seconds_from_ms(facts.keepalive_margin_ms.load()); });
}

void upstream_requests(UpstreamSide& side) {
  auto& requests = side.out().counter("berth_upstream_requests_total",
                                      "Responses of the server, by status code.");
  for (const auto& server : side.items()) {
    add_codes(requests, labels_of(server), server.stats->requests, true);
  }
  side.histogram("berth_upstream_response_header_duration_seconds",
                 "Time from the end of the request to the response's head.",
                 &ServerStats::response_header_duration);
  side.fact(
      "berth_upstream_server_up", "1 while the server takes requests.",
      [](const ServerFacts& facts) { return facts.state.load() == ServerState::Ready ? 1 : 0; });
  auto& states = side.out().gauge("berth_upstream_server_state",
                                  "1 for what the server is: ready, or why it is left out.");
  for (const auto& server : side.items()) {
    if (server.facts == nullptr) continue;
    EnumArray<ServerState, double, kServerStates> shown{};
    shown[server.facts->state.load()] = 1;
    add_each(states, labels_of(server), "state", kServerStateLabels, shown);
  }
  side.counter("berth_upstream_ejections_total",
               "Times that the server was left out because its requests failed.",
               &ServerStats::ejections);
  side.counters("berth_upstream_aborts_total",
                "Requests that ended before their response was complete, by who left.", "by",
                kAbortedByLabels, &ServerStats::aborts);
  side.counters("berth_upstream_health_checks_total", "Health checks of the server, by result.",
                "result", kHealthResultLabels, &ServerStats::health_checks);
  side.counters("berth_upstream_retries_total", "Requests sent again, by why that was sound.",
                "reason", kRetryCauseLabels, &ServerStats::retries);
  side.counter("berth_upstream_retry_budget_exhausted_total",
               "Requests that were not sent again because the retry budget was used up.",
               &ServerStats::retry_budget_exhausted);
}

void upstream_bytes(UpstreamSide& side) {
  side.counter("berth_upstream_received_bytes_total", "Bytes received from the server.",
               &ServerStats::received_bytes);
  side.counter("berth_upstream_sent_bytes_total", "Bytes sent to the server.",
               &ServerStats::sent_bytes);
  side.histogram("berth_upstream_request_body_bytes",
                 "Bodies of requests that the server answered whole.", &ServerStats::request_body);
  side.histogram("berth_upstream_response_body_bytes", "Bodies of the server's whole responses.",
                 &ServerStats::response_body);
}

// Of the other classes, those that the route has answered with.
bool shown_at_zero(StatusClass status) {
  return status == StatusClass::Success || status == StatusClass::ServerError;
}

void routes(RouteSide& side) {
  auto& family = side.out().histogram(
      "berth_route_request_duration_seconds",
      "Time from the first byte of a request to the last byte of its response, by route.");
  for (const auto& route : side.items()) {
    for (size_t at = 0; at < kStatusClasses; ++at) {
      const auto status = static_cast<StatusClass>(at);
      const LatencyHistogram& duration = route.stats->request_duration[status];
      if (duration.empty() && !shown_at_zero(status)) continue;
      add_histogram(family, with(labels_of(route), "class", kStatusClassLabels[status]), duration);
    }
  }
}

void queues(QueueSide& side) {
  side.gauge("berth_upstream_queue_length", "Requests that wait for a connection.",
             &QueueStats::length);
  side.fact("berth_upstream_queue_limit", "Requests that may wait for a connection (queue_size).",
            [](const QueueFacts& facts) { return facts.limit.load(); });
  side.histogram("berth_upstream_queue_wait_seconds",
                 "Time that requests waited for a connection before they had one or gave up; 0 "
                 "for those that did not wait.",
                 &QueueStats::wait);
  side.counters("berth_upstream_queue_rejected_total",
                "Requests that waited in vain or could not wait, by reason.", "reason",
                kQueueRejectLabels, &QueueStats::rejected);
  side.counter("berth_upstream_holders_ended_total",
               "Requests ended because others waited and their clients moved nothing.",
               &QueueStats::holders_ended);
}

void berth_process(Families& out, const ProcessStats& process, const WorkerStats& workers,
                   const std::string& version) {
  add_value(out.gauge("berth_build_info", "Always 1; the labels tell what is running."),
            {{"version", version}}, 1);
  auto& reloads =
      out.counter("berth_config_reloads_total", "Reloads of the configuration, by result.");
  add_each(reloads, {}, "result", kReloadResultLabels, process.config_reloads);
  add_value(out.gauge("berth_config_last_reload_success_timestamp_seconds",
                      "When the running configuration was loaded, in seconds since 1970."),
            {}, seconds_from_ms(process.last_reload_success_ms.value()));
  auto& pools =
      out.counter("berth_reload_pools_total", "Server pools seen by reloads, by what was done.");
  add_each(pools, {}, "action", kPoolActionLabels, process.reload_pools);
  auto& names = out.counter("berth_name_resolutions_total",
                            "Times that the host name of a server was resolved again, by result.");
  add_each(names, {}, "result", kNameResultLabels, process.name_resolutions);
  add_histogram(out.histogram("berth_worker_loop_lag_seconds",
                              "Time that one turn of a worker's event loop took."),
                {}, workers.loop_lag);
  add_value(out.counter("berth_access_log_dropped_total",
                        "Access-log lines dropped because they could not be written in time."),
            {}, workers.access_log_dropped);
  const uint64_t lost_lines = process.lost_log_lines != nullptr ? process.lost_log_lines() : 0;
  add_value(out.counter("berth_log_dropped_total",
                        "Process-log lines dropped because nobody read standard error in time."),
            {}, static_cast<double>(lost_lines));
  const size_t buffered = process.buffered_memory != nullptr ? process.buffered_memory() : 0;
  add_value(out.gauge("berth_memory_buffered_bytes",
                      "Memory in buffers: heads and bodies that wait for a slow side."),
            {}, static_cast<double>(buffered));
  add_value(out.gauge("berth_memory_budget_bytes", "Upper bound of it (memory_budget)."), {},
            static_cast<double>(process.memory_budget.value()));
  add_value(out.counter("berth_memory_short_total",
                        "Requests, responses and connections that were ended because memory ran "
                        "short."),
            {}, workers.memory_losses);
}

void spool(Families& out, const SpoolStats& stats) {
  add_value(out.gauge("berth_spool_bytes", "Bytes of request bodies in files (spool)."), {},
            static_cast<double>(stats.bytes.load()));
  add_value(out.gauge("berth_spool_files", "Request bodies in files."), {},
            static_cast<double>(stats.files.load()));
  add_value(out.counter("berth_spool_written_bytes_total", "Bytes written to such files."), {},
            static_cast<double>(stats.written_bytes.load()));
  auto& failures = out.counter("berth_spool_failures_total",
                               "Files that could not be made, written or read, by reason.");
  add_each(failures, {}, "reason", kSpoolFailureLabels, stats.failures);
}

void os_process(Families& out, const ProcessFacts& facts) {
  add_value(out.counter("process_cpu_seconds_total", "User and system CPU time spent."), {},
            facts.cpu_seconds);
  add_value(out.gauge("process_resident_memory_bytes", "Resident memory."), {},
            static_cast<double>(facts.resident_bytes));
  add_value(out.gauge("process_virtual_memory_bytes", "Virtual memory."), {},
            static_cast<double>(facts.virtual_bytes));
  add_value(out.gauge("process_open_fds", "Open file descriptors."), {},
            static_cast<double>(facts.open_fds));
  add_value(out.gauge("process_max_fds", "Upper bound of open file descriptors."), {},
            static_cast<double>(facts.max_fds));
  add_value(
      out.gauge("process_start_time_seconds", "When the process started, in seconds since 1970."),
      {}, facts.start_time_seconds);
}

}  // namespace

Collector::Collector(const Registry& registry, const ProcessSource& process, std::string version)
    : registry_(registry), process_(process), version_(std::move(version)) {}

std::vector<MetricFamily> Collector::Collect() const {
  const Snapshot now = registry_.snapshot();
  Families out;
  ClientSide clients(out, now.listeners);
  client_connections(clients);
  client_handshakes(clients);
  client_requests(clients);
  UpstreamSide servers(out, now.servers);
  upstream_connections(servers);
  upstream_reuse(servers);
  upstream_requests(servers);
  upstream_bytes(servers);
  RouteSide by_route(out, now.routes);
  routes(by_route);
  QueueSide waiting(out, now.queues);
  queues(waiting);
  spool(out, registry_.spool());
  berth_process(out, registry_.process(), *now.workers, version_);
  if (const auto facts = process_.read()) os_process(out, *facts);
  return out.take();
}

std::string Collector::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, Collect());
  return std::move(out).str();
}

}  // namespace berth::stats
