#include "proxy/server/access_log_format.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "proxy/server/access_log_text.h"
#include "proxy/stats/labels.h"

namespace berth::server {
namespace {

using exchange::AccessRecord;

// The longest part of each text that a line carries.
constexpr size_t kMaxTarget = 4096;
constexpr size_t kMaxReferer = 2048;
constexpr size_t kMaxUserAgent = 1024;
constexpr size_t kMaxName = 255;  // everything else

constexpr size_t kWorstEscape = 6;  // bytes for one
// listener, client, peer, method, host, protocol, upstream, server, request_id, detail
constexpr size_t kNames = 10;
constexpr size_t kFixed = 1024;  // keys, punctuation and numbers, generously
static_assert(kFixed +
                  kWorstEscape * (kMaxTarget + kMaxReferer + kMaxUserAgent + kNames * kMaxName) <=
              kMaxAccessLine);

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

char* put_upstream(char* out, const AccessRecord& record) {
  out = put_field(out, ",\"upstream\":\"", record.upstream, kMaxName);
  if (!record.server.empty()) out = put_field(out, ",\"server\":\"", record.server, kMaxName);
  out = put_count(out, ",\"attempts\":", record.attempts);
  if (record.source) {
    out = put(put_literal(out, ",\"source\":\""), stats::label(*record.source));
    out = record.reused ? put_literal(out, "\",\"reused\":true")
                        : put_literal(out, "\",\"reused\":false");
  }
  out = put_time(out, ",\"queue_wait\":", record.queue_wait);
  out = put_time(out, ",\"connect_time\":", record.connect_time);
  return put_time(out, ",\"header_time\":", record.header_time);
}

// The address alone: "192.0.2.1:1234" and "[::1]:1234" without port and brackets; "unix:", and what
// has no port, as it is.
std::string_view without_port(std::string_view client) {
  if (client.starts_with("unix:")) return client;
  const size_t colon = client.rfind(':');
  if (!client.starts_with('[') && client.find(':') != colon) return client;  // IPv6
  client = client.substr(0, colon);
  if (client.starts_with('[') && client.ends_with(']'))
    client = client.substr(1, client.size() - 2);
  return client;
}

// "-" for what is absent, as everyone who reads this format expects.
char* put_combined(char* out, std::string_view text, size_t limit) {
  if (text.empty()) return put_literal(out, "-");
  if (text.size() <= limit) return put_hex_escaped(out, text);
  return put_literal(put_hex_escaped(out, text.substr(0, limit)), "...");
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
  const size_t texts = record.listener.size() + record.client.size() + record.peer.size() +
                       record.method.size() + record.host.size() + record.target.size() +
                       record.protocol.size() + record.upstream.size() + record.server.size() +
                       record.user_agent.size() + record.referer.size() + record.request_id.size() +
                       record.detail.size();
  return std::min(kFixed + kWorstEscape * texts, kMaxAccessLine);
}

size_t write_json_line(char* out, const AccessRecord& record, AccessTime& time) {
  char* const begin = out;
  out = put_literal(out, "{\"time\":\"");
  out = put(out, time.iso(record.time_us / 1'000'000));
  *out++ = '.';
  out = put_six_digits(out, static_cast<uint32_t>(record.time_us % 1'000'000));
  out = put_field(out, "Z\",\"listener\":\"", record.listener, kMaxName);
  out = put_field(out, ",\"client\":\"", record.client, kMaxName);
  if (!record.peer.empty()) out = put_field(out, ",\"peer\":\"", record.peer, kMaxName);
  out = put_field(out, ",\"method\":\"", record.method, kMaxName);
  out = put_field(out, ",\"host\":\"", record.host, kMaxName);
  out = put_field(out, ",\"target\":\"", record.target, kMaxTarget);
  out = put_field(out, ",\"protocol\":\"", record.protocol, kMaxName);
  out = put_count(out, ",\"status\":", record.status);
  out = put_count(out, ",\"received_bytes\":", record.received_bytes);
  out = put_count(out, ",\"sent_bytes\":", record.sent_bytes);
  out = put_count(out, ",\"body_bytes\":", record.body_bytes);
  out = put_seconds(put_literal(out, ",\"duration\":"), record.duration);
  if (!record.upstream.empty()) out = put_upstream(out, record);
  if (record.reason != CloseReason::None) {
    out = put(put_literal(out, ",\"reason\":\""), info(record.reason).label);
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
