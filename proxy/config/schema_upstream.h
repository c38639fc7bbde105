// The keys of an upstream (see schema.h).
#pragma once

#include "proxy/config/bounds.h"
#include "proxy/config/choices.h"

namespace berth::config {

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
  v.choice("wait_while_down", p.wait_while_down, kOnOrOff);
  v.duration("close_timeout", p.close_timeout, bounds::kTimeout);
  v.duration_or("rest_timeout", p.rest_timeout, bounds::kTimeout, kOff);
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
  v.address("address", s.address, TextKind::ServerAddress);
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
  v.choice("request_body", u.request_body, kRequestBodies);
  v.size("request_buffer", u.request_buffer, bounds::kBuffer);
  v.size("response_buffer", u.response_buffer, bounds::kBuffer);
  v.size("max_response_head", u.max_response_head, bounds::kHead);
  v.count("max_fields", u.max_fields, bounds::kFields);
  v.switchable("tcp_keepalive", u.tcp_keepalive);
  v.switchable("tls", u.tls);
  v.choice("proxy_protocol", u.proxy_protocol, kProxyProtocols);
}

}  // namespace berth::config
