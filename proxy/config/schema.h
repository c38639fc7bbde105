// Every key of the configuration, once: its name, its kind and its bounds.
//
// `visit_keys(v, object)` calls one member of the visitor `v` for each key of the object. Reading a
// file, printing a configuration and listing all keys are three visitors over the same table, so a
// key that exists can be read, is printed, and must be explained.
#pragma once

#include "proxy/config/bounds.h"
#include "proxy/config/choices.h"
#include "proxy/config/config.h"
#include "proxy/config/schema_listener.h"
#include "proxy/config/schema_upstream.h"

namespace berth::config {

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
  v.choice("request_body", r.request_body, kRouteRequestBodies);
  v.section("request_headers", r.request_headers);
  v.section("response_headers", r.response_headers);
}

template <class V>
void visit_keys(V& v, Forwarding& f) {
  v.texts("trusted_proxies", f.trusted_proxies, TextKind::Network);
  v.texts_or_default("strip", f.strip, TextKind::FieldPattern);
  v.boolean("via", f.via);
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
  v.text("template", a.pattern, TextKind::LogTemplate);
  v.count("min_status", a.min_status, bounds::kMinStatus, &kOff);
  v.count("sample", a.sample, bounds::kSample, &kAuto);
}

template <class V>
void visit_keys(V& v, Resolver& r) {
  v.boolean("enabled", r.enabled);
  v.texts("nameservers", r.nameservers, TextKind::Nameserver);
  v.duration("min_ttl", r.min_ttl, bounds::kTtl);
  v.duration("max_ttl", r.max_ttl, bounds::kTtl);
}

template <class V>
void visit_keys(V& v, Spool& s) {
  v.boolean("enabled", s.enabled);
  v.text("path", s.path, TextKind::Folder);
  v.size("max_size", s.max_size, bounds::kSpool);
  v.size("budget", s.budget, bounds::kSpool);
}

template <class V>
void visit_keys(V& v, Shutdown& s) {
  v.duration("delay", s.delay, bounds::kGrace);
  v.duration("grace", s.grace, bounds::kGrace);
}

template <class V>
void visit_keys(V& v, Config& c) {
  v.count("workers", c.workers, bounds::kWorkers, &kAuto);
  v.size("memory_budget", c.memory_budget, bounds::kBudget);
  v.switchable("spool", c.spool);
  v.list("listeners", c.listeners);
  v.named("upstreams", c.upstreams);
  v.list("routes", c.routes);
  v.section("forwarding", c.forwarding);
  v.switchable("admin", c.admin);
  v.switchable("access_log", c.access_log);
  v.switchable("resolver", c.resolver);
  v.section("shutdown", c.shutdown);
}

template <class T>
concept Switched = requires(T& section) {
  section.enabled = true;
};

// What it does that a section is there. Most are on without it.
template <class T>
void turn_on(T& section) {
  if constexpr (Switched<T>) section.enabled = true;
}

// What `off` in place of a section does.
template <Switched T>
void turn_off(T& section) {
  section.enabled = false;
}
inline void turn_off(Admin& section) {
  section.address.clear();
}
inline void turn_off(Sticky& section) {
  section.cookie.clear();
}

}  // namespace berth::config
