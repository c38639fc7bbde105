// Every key of the configuration, once: its name, its kind and its bounds.
//
// `visit_keys(v, object)` calls one member of the visitor `v` for each key of the object. Reading a
// file, printing a configuration and listing all keys are three visitors over the same table, so a
// key that exists can be read, is printed, and must be explained.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/config/config.h"

namespace berth::config {

struct DurationBounds {
  Duration min;
  Duration max;
  std::string_view below;  // what to do instead of going below the minimum
};

struct NumberBounds {
  uint64_t min;
  uint64_t max;
  std::string_view below;
};

// A word in the file that stands for a value of the setting.
struct Keyword {
  std::string_view word;
  uint64_t value;
};

template <class E>
struct Choice {
  E value;
  std::string_view name;
};
template <class E>
Choice(E, std::string_view) -> Choice<E>;

inline constexpr std::array kBalances = {
    Choice{Balance::LeastRequests, "least_requests"},
    Choice{Balance::RoundRobin, "round_robin"},
    Choice{Balance::RandomTwo, "random_two"},
    Choice{Balance::Hash, "hash"},
};
inline constexpr std::array kHashBys = {
    Choice{HashBy::ClientAddress, "client_address"},
    Choice{HashBy::Header, "header"},
    Choice{HashBy::Cookie, "cookie"},
};
inline constexpr std::array kCookieSecures = {
    Choice{CookieSecure::Auto, "auto"},
    Choice{CookieSecure::No, "false"},
    Choice{CookieSecure::Yes, "true"},
};
inline constexpr std::array kSameSites = {
    Choice{SameSite::Lax, "lax"},
    Choice{SameSite::Strict, "strict"},
    Choice{SameSite::None, "none"},
};
inline constexpr std::array kReuses = {Choice{Reuse::Lifo, "lifo"}, Choice{Reuse::Fifo, "fifo"}};
inline constexpr std::array kHalfCloses = {Choice{HalfClose::Serve, "serve"},
                                           Choice{HalfClose::Abort, "abort"}};
inline constexpr std::array kLogFormats = {Choice{LogFormat::Json, "json"},
                                           Choice{LogFormat::Combined, "combined"}};
inline constexpr std::array kNonIdempotents = {
    Choice{RetryNonIdempotent::Never, "never"},
    Choice{RetryNonIdempotent::FinProved, "fin_proved"},
};
inline constexpr std::array kEjectFors = {
    Choice{EjectFor::Failures, "failures"},
    Choice{EjectFor::GatewayErrors, "gateway_errors"},
    Choice{EjectFor::ServerErrors, "server_errors"},
};

inline constexpr std::array kTlsVersions = {Choice{TlsVersion::Tls12, "1.2"},
                                            Choice{TlsVersion::Tls13, "1.3"}};
inline constexpr std::array kClientCertificates = {
    Choice{ClientCertificate::None, "none"},
    Choice{ClientCertificate::Optional, "optional"},
    Choice{ClientCertificate::Required, "required"},
};
inline constexpr std::array kProxyProtocols = {Choice{ProxyProtocol::Off, "off"},
                                               Choice{ProxyProtocol::V1, "v1"},
                                               Choice{ProxyProtocol::V2, "v2"}};

// What a text must look like.
enum class TextKind : uint8_t {
  Label,  // a name: no blanks
  ListenAddress,
  AdminAddress,  // a listen address, or `off`, which is ""
  ServerAddress,
  LogPath,       // "-" or an absolute path
  Host,          // of a route
  PathPrefix,    // of a route
  UpstreamName,  // checked when all upstreams are known
  Network,
  HeaderName,
  HeaderValue,
  HashName,    // of a header or cookie; "" if it is not needed
  CookieName,  // or `off`, which is ""
  CookiePath,
  File,         // or "": none. Relative names are in the folder of the configuration
  ServerName,   // a host name, or "": none
  Ciphers,      // OpenSSL's names, with colons between them
  CheckTarget,  // of a health check: a path, with a query or without
  CheckHost,    // a Host, or auto
  StatusRange,
  HostName,
  Nameserver,  // an IP address with a port
};

namespace bounds {
inline constexpr Duration kDay = 24h;
inline constexpr DurationBounds kTimeout{1ms, kDay, ""};
inline constexpr DurationBounds kClientKeepalive{
    1ms, kDay, "to close after every response, set keepalive_requests: 1"};
inline constexpr DurationBounds kServerKeepalive{1ms, kDay,
                                                 "to keep no idle connections, set max_idle: 0"};
inline constexpr DurationBounds kLongTime{1s, 3650 * kDay, ""};
inline constexpr DurationBounds kUpgrade{1s, 3650 * kDay, ""};
inline constexpr DurationBounds kQueueTimeout{1ms, kDay, "for no queue at all, set queue_size: 0"};
inline constexpr DurationBounds kCookieAge{
    1s, 3650 * kDay, "to end it with the browser's session, write max_age: session"};
inline constexpr DurationBounds kSlowStart{1s, kDay, "to turn it off, write slow_start: off"};
inline constexpr DurationBounds kGrace{0s, kDay, ""};
inline constexpr DurationBounds kTcpTime{1s, 32767s, "to turn it off, write tcp_keepalive: off"};
inline constexpr NumberBounds kTcpCount{1, 127, ""};
inline constexpr NumberBounds kRequests{1, 10'000'000, "1 closes after every request"};
inline constexpr NumberBounds kClientConnections{1, 10'000'000,
                                                 "write auto for as many as files may be open"};
inline constexpr NumberBounds kServerConnections{1, 1'000'000, "at least one is needed"};
inline constexpr NumberBounds kFromNone{0, 1'000'000, ""};
inline constexpr NumberBounds kStreams{1, 10'000, "to turn HTTP/2 off, write http2: off"};
inline constexpr NumberBounds kBacklog{1, 65'535, ""};
inline constexpr NumberBounds kWorkers{1, 256, "write auto for one per core"};
inline constexpr NumberBounds kAttempts{1, 16, "1 never retries"};
inline constexpr NumberBounds kWeight{1, 1000, "to take a server out, remove it from the list"};
inline constexpr DurationBounds kEjectTime{100ms, kDay, "to leave none out, write ejection: off"};
inline constexpr NumberBounds kErrors{1, 1'000'000, "to leave none out, write ejection: off"};
inline constexpr DurationBounds kCheckInterval{100ms, kDay, ""};
inline constexpr DurationBounds kTtl{100ms, kDay, ""};
inline constexpr NumberBounds kChecks{1, 1000, ""};
inline constexpr NumberBounds kEjectPercent{1, 100, "to leave none out, write ejection: off"};
inline constexpr NumberBounds kPercent{0, 100, ""};
inline constexpr NumberBounds kHead{1 * kKiB, 1 * kMiB, ""};
inline constexpr NumberBounds kTarget{256, 1 * kMiB, ""};
inline constexpr NumberBounds kBody{1, 1024 * kGiB, "write unlimited for no limit"};
inline constexpr NumberBounds kRate{1, 1 * kGiB, "write off for no limit"};
inline constexpr NumberBounds kBuffer{4 * kKiB, 64 * kMiB, ""};
inline constexpr NumberBounds kBudget{1 * kMiB, 1024 * kGiB, ""};
}  // namespace bounds

inline constexpr Keyword kAuto{"auto", 0};
inline constexpr Keyword kUnlimited{"unlimited", 0};
inline constexpr Keyword kOff{"off", 0};
inline constexpr Keyword kSession{"session", 0};
inline constexpr uint32_t kHttpsPort = 443;

template <class V>
void visit_keys(V& v, TcpKeepalive& t) {
  v.boolean("enabled", t.enabled);
  v.duration("idle", t.idle, bounds::kTcpTime);
  v.duration("interval", t.interval, bounds::kTcpTime);
  v.count("count", t.count, bounds::kTcpCount);
}

template <class V>
void visit_keys(V& v, Http2& h) {
  v.boolean("enabled", h.enabled);
  v.boolean("cleartext", h.cleartext);
  v.count("max_streams", h.max_streams, bounds::kStreams);
}

template <class V>
void visit_keys(V& v, Certificate& c) {
  v.text("certificate", c.certificate, TextKind::File);
  v.text("key", c.key, TextKind::File);
}

template <class V>
void visit_keys(V& v, ListenerTls& t) {
  v.boolean("enabled", t.enabled);
  v.list("certificates", t.certificates);
  v.choice("min_version", t.min_version, kTlsVersions);
  v.text("ciphers", t.ciphers, TextKind::Ciphers);
  v.boolean("session_tickets", t.session_tickets);
  v.choice("client_certificate", t.client_certificate, kClientCertificates);
  v.text("client_ca", t.client_ca, TextKind::File);
  v.text("client_subject_header", t.client_subject_header, TextKind::HeaderName);
}

template <class V>
void visit_keys(V& v, Hsts& h) {
  v.boolean("enabled", h.enabled);
  v.duration("max_age", h.max_age, bounds::kLongTime);
  v.boolean("include_subdomains", h.include_subdomains);
  v.boolean("preload", h.preload);
}

template <class V>
void visit_keys(V& v, ProxyProtocolFrom& p) {
  v.texts("from", p.from, TextKind::Network);
}

template <class V>
void visit_keys(V& v, UpstreamTls& t) {
  v.boolean("enabled", t.enabled);
  v.boolean("verify", t.verify);
  v.text("ca", t.ca, TextKind::File);
  v.text("server_name", t.server_name, TextKind::ServerName);
  v.text("certificate", t.certificate, TextKind::File);
  v.text("key", t.key, TextKind::File);
}

template <class V>
void visit_keys(V& v, Listener& l) {
  v.text("address", l.address, TextKind::ListenAddress);
  v.text("name", l.name, TextKind::Label);
  v.duration("keepalive_timeout", l.keepalive_timeout, bounds::kClientKeepalive);
  v.count("keepalive_requests", l.keepalive_requests, bounds::kRequests);
  v.duration("keepalive_time", l.keepalive_time, bounds::kLongTime);
  v.duration("handshake_timeout", l.handshake_timeout, bounds::kTimeout);
  v.duration("header_timeout", l.header_timeout, bounds::kTimeout);
  v.duration("body_timeout", l.body_timeout, bounds::kTimeout);
  v.duration("send_timeout", l.send_timeout, bounds::kTimeout);
  v.rate("min_body_rate", l.min_body_rate, bounds::kRate, kOff);
  v.rate("min_send_rate", l.min_send_rate, bounds::kRate, kOff);
  v.size("max_head", l.max_head, bounds::kHead);
  v.size("max_target", l.max_target, bounds::kTarget);
  v.size("max_body", l.max_body, bounds::kBody, &kUnlimited);
  v.count("max_connections", l.max_connections, bounds::kClientConnections, &kAuto);
  v.count("backlog", l.backlog, bounds::kBacklog);
  v.choice("half_close", l.half_close, kHalfCloses);
  v.mode("unix_mode", l.unix_mode);
  v.switchable("tcp_keepalive", l.tcp_keepalive);
  v.switchable("http2", l.http2);
  v.switchable("tls", l.tls);
  v.port_or_off("redirect_to_https", l.redirect_to_https, kHttpsPort);
  v.switchable("hsts", l.hsts);
  v.section("proxy_protocol", l.proxy_protocol);
}

template <class V>
void visit_keys(V& v, Pool& p) {
  v.count("max_connections", p.max_connections, bounds::kServerConnections);
  v.count("max_idle", p.max_idle, bounds::kFromNone);
  v.count("min_idle", p.min_idle, bounds::kFromNone);
  v.duration_or("keepalive_timeout", p.keepalive_timeout, bounds::kServerKeepalive, kAuto);
  v.count("keepalive_requests", p.keepalive_requests, bounds::kRequests);
  v.duration("keepalive_time", p.keepalive_time, bounds::kLongTime);
  v.choice("reuse", p.reuse, kReuses);
  v.count("queue_size", p.queue_size, bounds::kFromNone);
  v.duration("queue_timeout", p.queue_timeout, bounds::kQueueTimeout);
  v.count("max_upgraded", p.max_upgraded, bounds::kFromNone);
}

template <class V>
void visit_keys(V& v, Retry& r) {
  v.count("attempts", r.attempts, bounds::kAttempts);
  v.count("budget_percent", r.budget_percent, bounds::kPercent);
  v.count("budget_min", r.budget_min, bounds::kFromNone);
  v.choice("non_idempotent", r.non_idempotent, kNonIdempotents);
}

template <class V>
void visit_keys(V& v, Ejection& e) {
  v.boolean("enabled", e.enabled);
  v.count("errors", e.errors, bounds::kErrors);
  v.choice("count", e.count, kEjectFors);
  v.duration("time", e.time, bounds::kEjectTime);
  v.duration("max_time", e.max_time, bounds::kEjectTime);
  v.count("max_percent", e.max_percent, bounds::kEjectPercent);
}

template <class V>
void visit_keys(V& v, HealthCheck& h) {
  v.boolean("enabled", h.enabled);
  v.text("path", h.path, TextKind::CheckTarget);
  v.text("host", h.host, TextKind::CheckHost);
  v.duration("interval", h.interval, bounds::kCheckInterval);
  v.duration("timeout", h.timeout, bounds::kTimeout);
  v.count("healthy_after", h.healthy_after, bounds::kChecks);
  v.count("unhealthy_after", h.unhealthy_after, bounds::kChecks);
  v.texts_or_default("status", h.status, TextKind::StatusRange);
}

template <class V>
void visit_keys(V& v, Server& s) {
  v.text("address", s.address, TextKind::ServerAddress);
  v.count("weight", s.weight, bounds::kWeight);
  v.boolean("backup", s.backup);
}

template <class V>
void visit_keys(V& v, Hash& h) {
  v.choice("by", h.by, kHashBys);
  v.text("name", h.name, TextKind::HashName);
}

template <class V>
void visit_keys(V& v, Sticky& s) {
  v.text("cookie", s.cookie, TextKind::CookieName);
  v.duration_or("max_age", s.max_age, bounds::kCookieAge, kSession);
  v.text("path", s.path, TextKind::CookiePath);
  v.choice("secure", s.secure, kCookieSecures);
  v.boolean("http_only", s.http_only);
  v.choice("same_site", s.same_site, kSameSites);
}

// The name is the key of the map that the upstream is in.
template <class V>
void visit_keys(V& v, Upstream& u) {
  v.list("servers", u.servers);
  v.choice("balance", u.balance, kBalances);
  v.section("hash", u.hash);
  v.switchable("sticky", u.sticky);
  v.duration_or("slow_start", u.slow_start, bounds::kSlowStart, kOff);
  v.section("pool", u.pool);
  v.section("retry", u.retry);
  v.switchable("ejection", u.ejection);
  v.switchable("health", u.health);
  v.duration("connect_timeout", u.connect_timeout, bounds::kTimeout);
  v.duration("response_timeout", u.response_timeout, bounds::kTimeout);
  v.duration("idle_timeout", u.idle_timeout, bounds::kTimeout);
  v.duration("upgrade_timeout", u.upgrade_timeout, bounds::kUpgrade);
  v.size("request_buffer", u.request_buffer, bounds::kBuffer);
  v.size("response_buffer", u.response_buffer, bounds::kBuffer);
  v.size("max_response_head", u.max_response_head, bounds::kHead);
  v.switchable("tcp_keepalive", u.tcp_keepalive);
  v.switchable("tls", u.tls);
  v.choice("proxy_protocol", u.proxy_protocol, kProxyProtocols);
}

template <class V>
void visit_keys(V& v, HeaderRules& h) {
  v.pairs("set", h.set);
  v.texts("remove", h.remove, TextKind::HeaderName);
}

template <class V>
void visit_keys(V& v, Route& r) {
  v.text("host", r.host, TextKind::Host);
  v.text("path", r.path, TextKind::PathPrefix);
  v.text("upstream", r.upstream, TextKind::UpstreamName);
  v.section("request_headers", r.request_headers);
  v.section("response_headers", r.response_headers);
}

template <class V>
void visit_keys(V& v, Forwarding& f) {
  v.texts("trusted_proxies", f.trusted_proxies, TextKind::Network);
  v.boolean("forwarded", f.forwarded);
  v.boolean("request_id", f.request_id);
}

template <class V>
void visit_keys(V& v, Admin& a) {
  v.text("address", a.address, TextKind::AdminAddress);
  v.texts("hosts", a.hosts, TextKind::HostName);
}

template <class V>
void visit_keys(V& v, AccessLog& a) {
  v.boolean("enabled", a.enabled);
  v.text("path", a.path, TextKind::LogPath);
  v.choice("format", a.format, kLogFormats);
}

template <class V>
void visit_keys(V& v, Resolver& r) {
  v.boolean("enabled", r.enabled);
  v.texts("nameservers", r.nameservers, TextKind::Nameserver);
  v.duration("min_ttl", r.min_ttl, bounds::kTtl);
  v.duration("max_ttl", r.max_ttl, bounds::kTtl);
}

template <class V>
void visit_keys(V& v, Shutdown& s) {
  v.duration("grace", s.grace, bounds::kGrace);
}

template <class V>
void visit_keys(V& v, Config& c) {
  v.count("workers", c.workers, bounds::kWorkers, &kAuto);
  v.size("memory_budget", c.memory_budget, bounds::kBudget);
  v.list("listeners", c.listeners);
  v.named("upstreams", c.upstreams);
  v.list("routes", c.routes);
  v.section("forwarding", c.forwarding);
  v.switchable("admin", c.admin);
  v.switchable("access_log", c.access_log);
  v.switchable("resolver", c.resolver);
  v.section("shutdown", c.shutdown);
}

// What it does that a section is there: most are on without it.
template <class T>
void turn_on(T& /*section*/) {}
inline void turn_on(HealthCheck& h) {
  h.enabled = true;
}
inline void turn_on(ListenerTls& t) {
  t.enabled = true;
}
inline void turn_on(UpstreamTls& t) {
  t.enabled = true;
}
inline void turn_on(Hsts& h) {
  h.enabled = true;
}

// What `off` in place of the section does.
inline void turn_off(HealthCheck& h) {
  h.enabled = false;
}
inline void turn_off(TcpKeepalive& t) {
  t.enabled = false;
}
inline void turn_off(Http2& h) {
  h.enabled = false;
}
inline void turn_off(ListenerTls& t) {
  t.enabled = false;
}
inline void turn_off(UpstreamTls& t) {
  t.enabled = false;
}
inline void turn_off(Hsts& h) {
  h.enabled = false;
}
inline void turn_off(Resolver& r) {
  r.enabled = false;
}
inline void turn_off(Ejection& e) {
  e.enabled = false;
}
inline void turn_off(AccessLog& a) {
  a.enabled = false;
}
inline void turn_off(Admin& a) {
  a.address.clear();
}
inline void turn_off(Sticky& s) {
  s.cookie.clear();
}

}  // namespace berth::config
