#include "proxy/client/request_record.h"

#include "proxy/client/client_listener.h"

namespace berth::client {

void finish_request(const Connection& connection, const net::Security* security,
                    const exchange::Exchange& exchange, const RequestFacts& facts) {
  ClientListener& listener = connection.listener();
  const TimePoint ended = facts.ended != TimePoint{} ? facts.ended : listener.env().now();
  const Duration took = ended - facts.began;
  stats::ListenerStats& stats = listener.stats();
  stats
      .requests[facts.protocol][static_cast<size_t>(facts.method)][stats::status_slot(facts.status)]
      .add();
  const uint64_t micros = stats::as_micros(took);
  const size_t bucket = stats::LatencyHistogram::bucket_of(micros);
  stats.request_duration.observe(micros, bucket);
  if (stats::RouteStats* const route = exchange.route_stats()) {
    route->request_duration[stats::class_of(facts.status)].observe(micros, bucket);
  }
  exchange::AccessLogSink* log = listener.context().access_log;
  if (log == nullptr) return;
  exchange::AccessRecord record;
  char client[net::Address::kMaxText];
  record.time_us = facts.began_wall_us;
  record.listener = listener.settings().name;
  record.client = {client, connection.peer().write(client)};
  record.connection = connection.birth().id;
  record.connection_requests = facts.number;
  if (security != nullptr) {
    record.tls = security->terms;
    record.tls_server_name = security->server_name;
  }
  record.protocol = facts.protocol_text;
  record.status = facts.status;
  record.received_bytes = facts.received;
  record.sent_bytes = facts.sent;
  record.body_bytes = facts.body_sent;
  record.duration = took;
  exchange.describe(record);
  log->log(record);
}

}  // namespace berth::client
