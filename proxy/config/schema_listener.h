// The keys of a listener (see schema.h).
#pragma once

#include "proxy/config/bounds.h"
#include "proxy/config/choices.h"

namespace berth::config {

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
void visit_keys(V& v, Listener& l) {
  v.address("address", l.address, TextKind::ListenAddress);
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
  v.count("max_fields", l.max_fields, bounds::kFields);
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

}  // namespace berth::config
