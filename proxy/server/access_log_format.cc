#include "proxy/server/access_log_format.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "proxy/server/access_log_text.h"
#include "proxy/server/access_log_values.h"
#include "proxy/stats/labels.h"

namespace berth::server {
namespace {

using exchange::AccessRecord;

// A text's key, quotes and all, and the text: `,"host":"` and the rest.
template <size_t N>
char* put_field(char* out, const char (&key)[N], std::string_view text, size_t limit) {
  out = put_literal(out, key);
  if (text.size() <= limit) [[likely]] {
    out = put_json_text(out, text);
  } else {
    out = put_json_text(out, text.substr(0, limit));
    out = put_literal(out, "...");
  }
  *out++ = '"';
  return out;
}

template <size_t N>
char* put_time(char* out, const char (&key)[N], const std::optional<Duration>& duration) {
  if (!duration) return out;
  return put_seconds(put_literal(out, key), *duration);
}

template <size_t N>
char* put_count(char* out, const char (&key)[N], uint64_t value) {
  return put_number(put_literal(out, key), value);
}

template <size_t N>
char* put_id(char* out, const char (&key)[N], const net::ConnectionId& id) {
  out = put_connection(put_literal(out, key), id);
  *out++ = '"';
  return out;
}

// Of the client's connection: SNI and ALPN are the client's choice. (A server's are known.)
char* put_client_tls(char* out, const AccessRecord& record) {
  out = put(put_literal(out, ",\"tls_version\":\""), text_of(record.tls.version));
  out = put(put_literal(out, "\",\"tls_cipher\":\""), record.tls.cipher);
  *out++ = '"';
  if (!record.tls_server_name.empty())
    out = put_field(out, ",\"tls_server_name\":\"", record.tls_server_name, kMaxName);
  if (record.tls.alpn != net::TlsTerms::Alpn::None) {
    out = put(put_literal(out, ",\"tls_alpn\":\""), text_of(record.tls.alpn));
    *out++ = '"';
  }
  return put(put_literal(out, ",\"tls_resumed\":"), text_of(record.tls.resumed));
}

char* put_server_tls(char* out, const net::TlsTerms& terms) {
  out = put(put_literal(out, ",\"server_tls_version\":\""), text_of(terms.version));
  out = put(put_literal(out, "\",\"server_tls_cipher\":\""), terms.cipher);
  return put(put_literal(out, "\",\"server_tls_resumed\":"), text_of(terms.resumed));
}

char* put_failed_attempts(char* out, std::span<const exchange::FailedAttempt> failed) {
  out = put_literal(out, ",\"failed_attempts\":[");
  for (const exchange::FailedAttempt& attempt :
       failed.first(std::min(failed.size(), exchange::kMostFailedAttempts))) {
    out = put_field(out, "{\"server\":\"", attempt.server, kMaxFailedServer);
    out = put(put_literal(out, ",\"reason\":\""), info(attempt.reason).label);
    out = put_literal(out, "\"},");
  }
  out[-1] = ']';
  return out;
}

char* put_upstream(char* out, const AccessRecord& record) {
  out = put_field(out, ",\"upstream\":\"", record.upstream, kMaxName);
  if (!record.server.empty()) out = put_field(out, ",\"server\":\"", record.server, kMaxName);
  out = put_count(out, ",\"attempts\":", record.attempts);
  if (!record.failed_attempts.empty()) out = put_failed_attempts(out, record.failed_attempts);
  if (record.source) {
    out = put(put_literal(out, ",\"source\":\""), stats::label(*record.source));
    out = record.reused ? put_literal(out, "\",\"reused\":true")
                        : put_literal(out, "\",\"reused\":false");
  }
  if (record.server_connection.number != 0) {
    out = put_id(out, ",\"server_connection\":\"", record.server_connection);
    out = put_count(out, ",\"server_connection_requests\":", record.server_connection_requests);
  }
  if (has_tls(record.server_tls)) out = put_server_tls(out, record.server_tls);
  out = put_time(out, ",\"queue_wait\":", record.queue_wait);
  out = put_time(out, ",\"connect_time\":", record.connect_time);
  return put_time(out, ",\"header_time\":", record.header_time);
}

}  // namespace

void AccessTime::render(int64_t unix_seconds) {
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = static_cast<std::time_t>(unix_seconds);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[128];
  std::snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  std::memcpy(iso_, text, kIsoSize);
  std::snprintf(text, sizeof(text), "%02d/%s/%04d:%02d:%02d:%02d +0000", utc.tm_mday,
                kMonths[static_cast<size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                utc.tm_min, utc.tm_sec);
  std::memcpy(clf_, text, kClfSize);
  second_ = unix_seconds;
}

size_t access_line_bound(const AccessRecord& record) {
  const size_t failed =
      record.failed_attempts.empty() ? 0 : exchange::kMostFailedAttempts * kMaxFailedServer;
  const size_t texts = record.listener.size() + record.client.size() + record.peer.size() +
                       record.method.size() + record.host.size() + record.target.size() +
                       record.protocol.size() + record.upstream.size() + record.server.size() +
                       record.user_agent.size() + record.referer.size() + record.request_id.size() +
                       record.detail.size() + record.tls_server_name.size() + failed;
  return std::min(kFixed + kWorstEscape * texts, kMaxAccessLine);
}

size_t write_json_line(char* out, const AccessRecord& record, AccessTime& time) {
  char* const begin = out;
  out = put_iso_time(put_literal(out, "{\"time\":\""), record.time_us, time);
  out = put_field(out, "\",\"listener\":\"", record.listener, kMaxName);
  out = put_field(out, ",\"client\":\"", record.client, kMaxName);
  if (!record.peer.empty()) out = put_field(out, ",\"peer\":\"", record.peer, kMaxName);
  if (record.connection.number != 0) {
    out = put_id(out, ",\"connection\":\"", record.connection);
    out = put_count(out, ",\"connection_requests\":", record.connection_requests);
  }
  if (has_tls(record.tls)) out = put_client_tls(out, record);
  out = put_field(out, ",\"method\":\"", record.method, kMaxName);
  out = put_field(out, ",\"host\":\"", record.host, kMaxName);
  out = put_field(out, ",\"target\":\"", record.target, kMaxTarget);
  out = put_field(out, ",\"protocol\":\"", record.protocol, kMaxName);
  out = put_count(out, ",\"status\":", record.status);
  out = put_count(out, ",\"received_bytes\":", record.received_bytes);
  out = put_count(out, ",\"request_body_bytes\":", record.request_body_bytes);
  out = put_count(out, ",\"sent_bytes\":", record.sent_bytes);
  out = put_count(out, ",\"body_bytes\":", record.body_bytes);
  out = put_seconds(put_literal(out, ",\"duration\":"), record.duration);
  if (!record.upstream.empty()) out = put_upstream(out, record);
  if (record.reason != CloseReason::None) {
    out = put(put_literal(out, ",\"reason\":\""), info(record.reason).label);
    out = put(put_literal(out, "\",\"reason_text\":\""), info(record.reason).text);
    *out++ = '"';
  }
  if (!record.detail.empty()) out = put_field(out, ",\"detail\":\"", record.detail, kMaxName);
  if (!record.user_agent.empty())
    out = put_field(out, ",\"user_agent\":\"", record.user_agent, kMaxUserAgent);
  if (!record.referer.empty()) out = put_field(out, ",\"referer\":\"", record.referer, kMaxReferer);
  if (!record.request_id.empty())
    out = put_field(out, ",\"request_id\":\"", record.request_id, kMaxName);
  out = put_literal(out, "}\n");
  return static_cast<size_t>(out - begin);
}

size_t write_combined_line(char* out, const AccessRecord& record, AccessTime& time) {
  char* const begin = out;
  out = put_combined(out, without_port(record.client), kMaxName);
  out = put(put_literal(out, " - - ["), time.clf(record.time_us / 1'000'000));
  out = put_combined(put_literal(out, "] \""), record.method, kMaxName);
  out = put_combined(put_literal(out, " "), record.target, kMaxTarget);
  out = put_combined(put_literal(out, " "), record.protocol, kMaxName);
  out = put_count(out, "\" ", record.status);
  out = put_count(out, " ", record.body_bytes);
  out = put_combined(put_literal(out, " \""), record.referer, kMaxReferer);
  out = put_combined(put_literal(out, "\" \""), record.user_agent, kMaxUserAgent);
  out = put_literal(out, "\"\n");
  return static_cast<size_t>(out - begin);
}

}  // namespace berth::server
