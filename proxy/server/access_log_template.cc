// The lines of access_log.template.
#include "proxy/server/access_log_format.h"
#include "proxy/server/access_log_text.h"
#include "proxy/server/access_log_values.h"
#include "proxy/stats/labels.h"

namespace berth::server {
namespace {

using config::LogField;
using exchange::AccessRecord;

char* put_absent(char* out) {
  return put_literal(out, "-");
}

char* put_time(char* out, const std::optional<Duration>& duration) {
  return duration ? put_seconds(out, *duration) : put_absent(out);
}

char* put_id(char* out, const net::ConnectionId& id) {
  return id.number != 0 ? put_connection(out, id) : put_absent(out);
}

// A number that means nothing without what it belongs to.
char* put_count(char* out, uint64_t value, bool applies) {
  return applies ? put_number(out, value) : put_absent(out);
}

char* put_word(char* out, std::string_view word) {
  return word.empty() ? put_absent(out) : put(out, word);
}

// "10.0.0.1:3000 connect_refused, 10.0.0.2:3000 server_reset"
char* put_failed_attempts(char* out, std::span<const exchange::FailedAttempt> failed) {
  if (failed.empty()) return put_absent(out);
  bool first = true;
  for (const exchange::FailedAttempt& attempt : failed) {
    if (!first) out = put_literal(out, ", ");
    first = false;
    out = put_combined(out, attempt.server, kMaxFailedServer);
    *out++ = ' ';
    out = put(out, info(attempt.reason).label);
  }
  return out;
}

// In the order of log_field.def.
char* put_value(char* out, LogField field, const AccessRecord& record, AccessTime& time) {
  const net::TlsTerms& tls = record.tls;
  const net::TlsTerms& server_tls = record.server_tls;
  const bool failed = record.reason != CloseReason::None;
  switch (field) {
    case LogField::Time:
      return put_iso_time(out, record.time_us, time);
    case LogField::Listener:
      return put_combined(out, record.listener, kMaxName);
    case LogField::Client:
      return put_combined(out, record.client, kMaxName);
    case LogField::Peer:
      return put_combined(out, record.peer, kMaxName);
    case LogField::Connection:
      return put_id(out, record.connection);
    case LogField::ConnectionRequests:
      return put_count(out, record.connection_requests, record.connection.number != 0);
    case LogField::TlsVersion:
      return put_word(out, text_of(tls.version));
    case LogField::TlsCipher:
      return put_word(out, tls.cipher);
    case LogField::TlsServerName:
      return put_combined(out, record.tls_server_name, kMaxName);
    case LogField::TlsAlpn:
      return put_word(out, text_of(tls.alpn));
    case LogField::TlsResumed:
      return has_tls(tls) ? put(out, text_of(tls.resumed)) : put_absent(out);
    case LogField::Method:
      return put_combined(out, record.method, kMaxName);
    case LogField::Host:
      return put_combined(out, record.host, kMaxName);
    case LogField::Target:
      return put_combined(out, record.target, kMaxTarget);
    case LogField::Protocol:
      return put_combined(out, record.protocol, kMaxName);
    case LogField::Status:
      return put_number(out, record.status);
    case LogField::ReceivedBytes:
      return put_number(out, record.received_bytes);
    case LogField::RequestBodyBytes:
      return put_number(out, record.request_body_bytes);
    case LogField::SentBytes:
      return put_number(out, record.sent_bytes);
    case LogField::BodyBytes:
      return put_number(out, record.body_bytes);
    case LogField::Duration:
      return put_seconds(out, record.duration);
    case LogField::Upstream:
      return put_combined(out, record.upstream, kMaxName);
    case LogField::Server:
      return put_combined(out, record.server, kMaxName);
    case LogField::Attempts:
      return put_count(out, record.attempts, !record.upstream.empty());
    case LogField::FailedAttempts:
      return put_failed_attempts(out, record.failed_attempts);
    case LogField::Source:
      return put_word(out, record.source ? stats::label(*record.source) : "");
    case LogField::Reused:
      return put_word(out, record.source ? text_of(record.reused) : "");
    case LogField::ServerConnection:
      return put_id(out, record.server_connection);
    case LogField::ServerConnectionRequests:
      return put_count(out, record.server_connection_requests,
                       record.server_connection.number != 0);
    case LogField::ServerTlsVersion:
      return put_word(out, text_of(server_tls.version));
    case LogField::ServerTlsCipher:
      return put_word(out, server_tls.cipher);
    case LogField::ServerTlsResumed:
      return put_word(out, has_tls(server_tls) ? text_of(server_tls.resumed) : "");
    case LogField::QueueWait:
      return put_time(out, record.queue_wait);
    case LogField::ConnectTime:
      return put_time(out, record.connect_time);
    case LogField::HeaderTime:
      return put_time(out, record.header_time);
    case LogField::Reason:
      return put_word(out, failed ? info(record.reason).label : "");
    case LogField::ReasonText:
      return put_word(out, failed ? info(record.reason).text : "");
    case LogField::Detail:
      return put_combined(out, record.detail, kMaxName);
    case LogField::UserAgent:
      return put_combined(out, record.user_agent, kMaxUserAgent);
    case LogField::Referer:
      return put_combined(out, record.referer, kMaxReferer);
    case LogField::RequestId:
      return put_combined(out, record.request_id, kMaxName);
  }
  return out;
}

}  // namespace

size_t write_template_line(char* out, const AccessRecord& record, AccessTime& time,
                           const std::vector<config::LogPiece>& pieces) {
  char* const begin = out;
  for (const config::LogPiece& piece : pieces) {
    out = put(out, piece.text);
    if (piece.has_field) out = put_value(out, piece.field, record, time);
  }
  *out++ = '\n';
  return static_cast<size_t>(out - begin);
}

}  // namespace berth::server
