// What every form of an access-log line has in common: how long its texts may get, and what they
// say.
#pragma once

#include <cstddef>
#include <string_view>

#include "proxy/config/log_template.h"
#include "proxy/exchange/access_record.h"
#include "proxy/server/access_log_format.h"
#include "proxy/server/access_log_text.h"

namespace berth::server {

// The longest part of each text that a line carries.
inline constexpr size_t kMaxTarget = 4096;
inline constexpr size_t kMaxReferer = 2048;
inline constexpr size_t kMaxUserAgent = 1024;
inline constexpr size_t kMaxName = 255;  // everything else

inline constexpr size_t kMaxFailedServer = 128;

inline constexpr size_t kWorstEscape = 6;  // bytes for one
// listener, client, peer, tls_server_name, method, host, protocol, upstream, server, request_id,
// detail
inline constexpr size_t kNames = 11;
inline constexpr size_t kFixed = 2048;  // keys, punctuation and numbers, generously
static_assert(kFixed +
                  kWorstEscape * (kMaxTarget + kMaxReferer + kMaxUserAgent + kNames * kMaxName +
                                  exchange::kMostFailedAttempts * kMaxFailedServer) <=
              kMaxAccessLine);
// In a template, one byte's escape has four. Its own text is at most kMaxLogTemplate.
static_assert(config::kMaxLogTemplate <= 2 * (kMaxTarget + kMaxReferer));

inline std::string_view text_of(net::TlsTerms::Version version) {
  switch (version) {
    case net::TlsTerms::Version::None:
      return {};
    case net::TlsTerms::Version::Tls12:
      return "TLSv1.2";
    case net::TlsTerms::Version::Tls13:
      return "TLSv1.3";
  }
  return {};
}

inline std::string_view text_of(net::TlsTerms::Alpn alpn) {
  switch (alpn) {
    case net::TlsTerms::Alpn::None:
      return {};
    case net::TlsTerms::Alpn::Http1:
      return "http/1.1";
    case net::TlsTerms::Alpn::Http2:
      return "h2";
  }
  return {};
}

inline bool has_tls(const net::TlsTerms& terms) {
  return terms.version != net::TlsTerms::Version::None;
}

inline std::string_view text_of(bool value) {
  return value ? "true" : "false";
}

// "2026-08-01T12:34:56.000000Z"
inline char* put_iso_time(char* out, int64_t time_us, AccessTime& time) {
  out = put(out, time.iso(time_us / 1'000'000));
  *out++ = '.';
  out = put_six_digits(out, static_cast<uint32_t>(time_us % 1'000'000));
  *out++ = 'Z';
  return out;
}

// The address alone: "192.0.2.1:1234" and "[::1]:1234" without port and brackets; "unix:", and what
// has no port, as it is.
inline std::string_view without_port(std::string_view client) {
  if (client.starts_with("unix:")) return client;
  const size_t colon = client.rfind(':');
  if (!client.starts_with('[') && client.find(':') != colon) return client;  // IPv6
  client = client.substr(0, colon);
  if (client.starts_with('[') && client.ends_with(']'))
    client = client.substr(1, client.size() - 2);
  return client;
}

// "-" for what is absent, as everyone who reads this format expects.
inline char* put_combined(char* out, std::string_view text, size_t limit) {
  if (text.empty()) return put_literal(out, "-");
  if (text.size() <= limit) return put_hex_escaped(out, text);
  return put_literal(put_hex_escaped(out, text.substr(0, limit)), "...");
}

}  // namespace berth::server
