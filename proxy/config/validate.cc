#include "proxy/config/validate.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "proxy/base/letter_case.h"
#include "proxy/config/address_syntax.h"
#include "proxy/config/suggest.h"

namespace berth::config {
namespace {

std::string indexed(std::string_view list, size_t index) {
  return std::string(list) + '[' + std::to_string(index) + ']';
}

std::string first_on(Mark mark) {
  return mark.line == 0 ? std::string() : "first on line " + std::to_string(mark.line);
}

bool sets(const HeaderRules& rules, std::string_view name) {
  return std::any_of(rules.set.begin(), rules.set.end(),
                     [&](const auto& rule) { return to_lower(rule.first) == to_lower(name); });
}

// One run over a configuration; the members are what every check needs.
class Validator {
 public:
  Validator(const Config& config, const Places& places, Diagnostics& diagnostics)
      : config_(config), places_(places), diagnostics_(diagnostics) {
    for (const Upstream& upstream : config_.upstreams) names_.push_back(upstream.name);
    known_.insert(names_.begin(), names_.end());
  }

  void run() {
    check_listeners();
    check_admin();
    check_upstreams();
    check_resolver();
    check_routes();
    check_spool();
    check_access_log();
  }

 private:
  Mark at(std::string_view path) const { return place_of(places_, path); }

  // Something is not there. If an error stands where it should be, that error is the cause.
  void missing(Mark mark, std::string message, std::string hint) {
    if (!diagnostics_.error_at(mark)) {
      diagnostics_.error(mark, std::move(message), std::move(hint));
    }
  }

  void check_access_log() {
    const AccessLog& log = config_.access_log;
    const bool by_template = log.format == LogFormat::Template;
    if (by_template && log.pattern.empty()) {
      missing(at("access_log.format"), "access_log.format is template, and there is no template",
              "such as template: \"{client} {method} {target} {status} {duration}\"");
    }
    if (!by_template && !log.pattern.empty()) {
      diagnostics_.error(at("access_log.template"), "access_log.template without its format",
                         "did you mean format: template?");
    }
    if (log.min_status != 0 && log.sample == 1) {
      diagnostics_.warning(at("access_log.min_status"),
                           "min_status has no effect: with sample: 1 every line is written",
                           "without sample, only lines from min_status on are");
    }
  }

  void check_listeners() {
    if (config_.listeners.empty()) {
      missing(at("listeners"), "no listeners: there is nowhere to accept connections",
              "such as listeners: [{address: \":8080\"}]");
    }
    std::map<std::string, Mark> names;
    for (size_t i = 0; i < config_.listeners.size(); ++i) {
      const Listener& listener = config_.listeners[i];
      const std::string path = indexed("listeners", i);
      if (listener.address.empty()) {
        missing(at(path), path + " has no address", "such as address: \":8080\"");
        continue;
      }
      check_listen_address(listener.address, path + ".address");
      const auto [seen, fresh] = names.emplace(listener.name, at(path + ".name"));
      if (!fresh && places_.contains(path + ".name")) {
        diagnostics_.error(at(path + ".name"), "duplicate listener name '" + listener.name + "'",
                           first_on(seen->second));
      }
      check_listener_tls(listener, path);
      if (listener.max_target > listener.max_head && places_.contains(path + ".max_target")) {
        diagnostics_.warning(at(path + ".max_target"),
                             "max_target is above max_head, which holds the target too",
                             "a longer target is refused by max_head");
      }
    }
  }

  void check_listener_tls(const Listener& listener, const std::string& path) {
    const ListenerTls& tls = listener.tls;
    const std::string in = path + ".tls";
    if (listener.redirect_to_https != 0 && tls.enabled) {
      diagnostics_.error(at(path + ".redirect_to_https"),
                         "redirect_to_https on a listener that speaks TLS itself",
                         "it belongs to the listener for plain HTTP");
    }
    if (listener.hsts.enabled && !tls.enabled) {
      diagnostics_.error(at(path + ".hsts"), "hsts on a listener without TLS",
                         "clients ignore it there: it belongs to the listener with tls");
    }
    if (!tls.enabled) return;
    if (tls.certificates.empty()) {
      missing(at(in), in + " has no certificates",
              "such as certificates: [{certificate: site.crt, key: site.key}]");
    }
    for (size_t i = 0; i < tls.certificates.size(); ++i) {
      check_pair(tls.certificates[i].certificate, tls.certificates[i].key,
                 indexed(in + ".certificates", i), true);
    }
    const bool asks = tls.client_certificate != ClientCertificate::None;
    if (asks && tls.client_ca.empty()) {
      missing(at(in + ".client_certificate"),
              in + " asks for client certificates without client_ca",
              "a file with the authorities that may have issued them");
    }
    if (!asks && !tls.client_ca.empty()) {
      diagnostics_.error(at(in + ".client_ca"), "client_ca without client_certificate",
                         "write client_certificate: required, or optional");
    }
  }

  // A certificate and its key: both, or (unless `needed`) neither.
  void check_pair(const std::string& certificate, const std::string& key, const std::string& path,
                  bool needed) {
    const bool neither = certificate.empty() && key.empty();
    if (neither && !needed) return;
    if (certificate.empty()) {
      missing(at(path), path + " has no certificate", "a PEM file with the chain behind it");
    }
    if (key.empty()) missing(at(path), path + " has no key", "the PEM file of its private key");
  }

  // ":80" takes both families, so it is in the way of 0.0.0.0:80 and [::]:80.
  static std::vector<std::string> sockets_of(const AddressSyntax& address) {
    const std::string port = std::to_string(address.port);
    if (address.kind == AddressKind::AnyHost) return {"0.0.0.0:" + port, "[::]:" + port};
    if (address.kind != AddressKind::Unix && address.port == 0) return {};
    return {canonical(address)};
  }

  void check_listen_address(const Endpoint& address, const std::string& path) {
    if (address.syntax() == nullptr) return;  // reported when it was read
    for (const std::string& socket : sockets_of(*address.syntax())) {
      const auto [seen, fresh] = sockets_.emplace(socket, at(path));
      if (fresh) continue;
      diagnostics_.error(at(path), "duplicate listener address " + in_quotes(address.text()),
                         first_on(seen->second));
      return;
    }
  }

  // True if a socket at `wide` leaves no room for one at `narrow`.
  static bool takes_in(const AddressSyntax& wide, const AddressSyntax& narrow) {
    if (wide.kind == AddressKind::Unix || narrow.kind == AddressKind::Unix) return wide == narrow;
    if (wide.port != narrow.port || wide.port == 0) return false;
    if (wide.kind == AddressKind::AnyHost) return true;
    const bool all_of_family = wide.host == "0.0.0.0" || wide.host == "::";
    return wide == narrow || (all_of_family && wide.kind == narrow.kind);
  }

  void check_admin() {
    if (config_.admin.address.empty()) return;
    const auto admin = parse_listen_address(config_.admin.address);
    if (!admin) return;
    for (size_t i = 0; i < config_.listeners.size(); ++i) {
      const AddressSyntax* listener = config_.listeners[i].address.syntax();
      if (listener == nullptr || !(takes_in(*listener, *admin) || takes_in(*admin, *listener)))
        continue;
      const Mark other = at(indexed("listeners", i) + ".address");
      diagnostics_.error(
          at("admin.address"),
          "admin address " + in_quotes(config_.admin.address) + " is taken by a listener",
          other.line == 0 ? std::string()
                          : "the listener is on line " + std::to_string(other.line));
      return;
    }
  }

  void check_upstreams() {
    if (config_.upstreams.empty()) {
      missing(at("upstreams"), "no upstreams: there is nowhere to send requests",
              "such as upstreams: {app: {servers: [127.0.0.1:3000]}}");
    }
    for (const Upstream& upstream : config_.upstreams) {
      const std::string path = "upstreams." + upstream.name;
      if (upstream.servers.empty()) {
        const bool listed = places_.contains(path + ".servers");
        missing(at(listed ? path + ".servers" : path),
                "upstream '" + upstream.name + "' has no servers",
                "such as servers: [127.0.0.1:3000]");
      }
      check_servers(upstream, path + ".servers");
      check_upstream_tls(upstream, path + ".tls");
      check_pool(upstream.pool, path + ".pool");
      if (upstream.pool.min_idle > 0 && upstream.proxy_protocol != ProxyProtocol::Off) {
        diagnostics_.error(at(path + ".pool.min_idle"),
                           "min_idle cannot be had with proxy_protocol",
                           "each connection is opened for the client that its PROXY header names");
      }
      check_ejection(upstream.ejection, path + ".ejection");
      check_health(upstream.health, path + ".health");
    }
  }

  void check_upstream_tls(const Upstream& upstream, const std::string& path) {
    const UpstreamTls& tls = upstream.tls;
    if (!tls.enabled) return;
    check_pair(tls.certificate, tls.key, path, false);
    if (!tls.verify) {
      diagnostics_.warning(
          at(path + ".verify"),
          "verify: false: anybody on the way can pose as a server of upstream '" + upstream.name +
              "'",
          "set ca to the file of the authority that the server's certificate is of");
      return;
    }
    if (!tls.server_name.empty()) return;
    for (const Server& server : upstream.servers) {
      if (!server.address.is(AddressKind::Unix)) continue;
      missing(at(path), "which certificate is " + in_quotes(server.address.text()) + " to have?",
              "a Unix socket has no host name: set tls.server_name");
      return;
    }
  }

  void check_resolver() {
    if (config_.resolver.max_ttl >= config_.resolver.min_ttl) return;
    diagnostics_.error(at("resolver.max_ttl"), "max_ttl is below min_ttl",
                       "raise max_ttl or lower min_ttl");
  }

  void check_spool() {
    const Spool& spool = config_.spool;
    if (spool.enabled && spool.max_size > spool.budget) {
      diagnostics_.error(at("spool.max_size"), "max_size is above budget, which is for all of them",
                         "raise budget or lower max_size");
    }
    if (spool.enabled) return;
    const auto check = [&](RequestBody body, const std::string& path) {
      if (body != RequestBody::Spool) return;
      diagnostics_.error(at(path + ".request_body"), "request_body: spool, and spool is off",
                         "turn spool on, or write request_body: auto");
    };
    for (const Upstream& upstream : config_.upstreams) {
      check(upstream.request_body, "upstreams." + upstream.name);
    }
    for (size_t i = 0; i < config_.routes.size(); ++i) {
      check(config_.routes[i].request_body, indexed("routes", i));
    }
  }

  void check_pool(const Pool& pool, const std::string& path) {
    const auto above = [&](std::string_view what, uint32_t most) {
      diagnostics_.error(at(path + ".min_idle"), "min_idle " + std::to_string(pool.min_idle) +
                                                     " is above " + std::string(what) + " " +
                                                     std::to_string(most));
    };
    if (pool.min_idle > pool.max_connections) {
      above("max_connections", pool.max_connections);
    } else if (pool.min_idle > pool.max_idle) {
      above("max_idle", pool.max_idle);
    }
    if (pool.rest_timeout && *pool.rest_timeout >= pool.queue_timeout &&
        places_.contains(path + ".rest_timeout")) {
      diagnostics_.warning(
          at(path + ".rest_timeout"), "rest_timeout is not below queue_timeout",
          "who waits for a client that has stalled is refused before that is ended");
    }
  }

  void check_ejection(const Ejection& ejection, const std::string& path) {
    if (ejection.max_time >= ejection.time) return;
    diagnostics_.error(at(path + ".max_time"),
                       "max_time is below time, which is the shortest ejection",
                       "raise max_time or lower time");
  }

  void check_health(const HealthCheck& health, const std::string& path) {
    if (!health.enabled || health.timeout <= health.interval) return;
    diagnostics_.warning(at(path + ".timeout"), "timeout is above interval",
                         "checks of a server that does not answer then come less often");
  }

  void check_servers(const Upstream& upstream, const std::string& list) {
    std::map<std::string, Mark> seen_servers;
    for (size_t i = 0; i < upstream.servers.size(); ++i) {
      const Endpoint& address = upstream.servers[i].address;
      const Mark mark = at(indexed(list, i));
      if (address.empty()) {
        missing(mark, "a server of upstream '" + upstream.name + "' has no address",
                "such as 127.0.0.1:3000");
        continue;
      }
      if (address.syntax() == nullptr) continue;
      const auto [seen, fresh] = seen_servers.emplace(address.canonical(), mark);
      if (!fresh) {
        diagnostics_.error(mark,
                           "duplicate server " + in_quotes(address.text()) + " in upstream '" +
                               upstream.name + "'",
                           first_on(seen->second));
      }
    }
  }

  void check_routes() {
    if (config_.routes.empty() && config_.upstreams.size() > 1) {
      diagnostics_.error(
          at("routes"), "no routes, and more than one upstream to choose from",
          "such as routes: [{path: /, upstream: " + config_.upstreams[0].name + "}]");
    }
    std::set<std::string_view> used;
    using HostAndPath = std::pair<std::string_view, std::string_view>;
    std::map<HostAndPath, Mark> seen_routes;
    for (size_t i = 0; i < config_.routes.size(); ++i) {
      const Route& route = config_.routes[i];
      const std::string path = indexed("routes", i);
      used.insert(route.upstream);
      check_target(route, path);
      const auto [seen, fresh] = seen_routes.emplace(HostAndPath(route.host, route.path), at(path));
      if (!fresh) {
        diagnostics_.error(at(path),
                           "duplicate route for host " + in_quotes(route.host) + " and path " +
                               in_quotes(route.path),
                           first_on(seen->second));
      }
      check_rules(route.request_headers, path + ".request_headers", true);
      check_rules(route.response_headers, path + ".response_headers", false);
    }
    // A route whose upstream is misspelt is an error of its own.
    if (config_.routes.empty() || unknown_targets_ != 0) return;
    for (const Upstream& upstream : config_.upstreams) {
      if (used.contains(upstream.name)) continue;
      diagnostics_.warning(at("upstreams." + upstream.name),
                           "no route leads to upstream '" + upstream.name + "'");
    }
  }

  void check_target(const Route& route, const std::string& path) {
    if (route.upstream.empty()) {
      ++unknown_targets_;
      missing(at(path), path + " has no upstream",
              names_.empty() ? std::string() : "such as upstream: " + std::string(names_.front()));
      return;
    }
    if (known_.contains(route.upstream)) return;
    ++unknown_targets_;
    diagnostics_.error(at(path + ".upstream"), "unknown upstream " + in_quotes(route.upstream),
                       diagnostics_.full() ? std::string() : known_upstreams(route));
  }

  std::string known_upstreams(const Route& route) const {
    const std::string_view near = nearest(route.upstream, names_);
    if (!near.empty()) return "did you mean " + std::string(near) + "?";
    constexpr size_t kMost = 6;
    if (names_.empty() || names_.size() > kMost) return {};
    std::string hint = names_.size() == 1 ? "the only upstream is" : "there are";
    for (size_t i = 0; i < names_.size(); ++i) {
      const bool last = i + 1 == names_.size();
      hint += (i == 0 ? " " : last ? " and " : ", ") + std::string(names_[i]);
    }
    return hint;
  }

  void check_rules(const HeaderRules& rules, const std::string& path, bool request) {
    std::map<std::string, Mark> seen;
    for (const auto& [name, value] : rules.set) {
      const Mark mark = at(path + ".set." + name);
      const auto [first, fresh] = seen.emplace(to_lower(name), mark);
      if (!fresh) {
        diagnostics_.error(mark, "header " + in_quotes(name) + " is set twice",
                           first_on(first->second));
      }
    }
    for (size_t i = 0; i < rules.remove.size(); ++i) {
      const std::string& name = rules.remove[i];
      const Mark mark = at(indexed(path + ".remove", i));
      if (request && to_lower(name) == "host") {
        diagnostics_.error(mark, "'Host' cannot be removed",
                           "every HTTP/1.1 request must have it; it can be set");
      }
      const auto [first, fresh] = seen.emplace(to_lower(name), mark);
      if (fresh) continue;
      diagnostics_.error(mark,
                         "header " + in_quotes(name) +
                             (sets(rules, name) ? " is both set and removed" : " is removed twice"),
                         first_on(first->second));
    }
  }

  const Config& config_;
  const Places& places_;
  Diagnostics& diagnostics_;
  std::vector<std::string_view> names_;  // of the upstreams, in the order of the file
  std::set<std::string_view> known_;     // the same
  std::map<std::string, Mark> sockets_;  // of the listeners
  size_t unknown_targets_ = 0;
};

}  // namespace

Mark place_of(const Places& places, std::string_view path) {
  while (!path.empty()) {
    if (const auto found = places.find(path); found != places.end()) return found->second;
    const size_t cut = path.find_last_of(".[");
    path = path.substr(0, cut == std::string_view::npos ? 0 : cut);
  }
  return {};
}

void complete(Config& config, const Places& places) {
  for (Listener& listener : config.listeners) {
    if (listener.name.empty()) listener.name = listener.address.text();
  }
  for (Upstream& upstream : config.upstreams) {
    Pool& pool = upstream.pool;
    const bool written = places.contains("upstreams." + upstream.name + ".pool.max_idle");
    if (!written) {
      pool.max_idle = std::min(std::max(pool.max_idle, pool.min_idle), pool.max_connections);
    }
    if (pool.rest_timeout &&
        !places.contains("upstreams." + upstream.name + ".pool.rest_timeout")) {
      const Duration half = std::chrono::floor<std::chrono::milliseconds>(pool.queue_timeout / 2);
      pool.rest_timeout = std::clamp<Duration>(half, 1ms, *pool.rest_timeout);
    }
    Ejection& ejection = upstream.ejection;
    if (!places.contains("upstreams." + upstream.name + ".ejection.max_time")) {
      ejection.max_time = std::max(ejection.max_time, ejection.time);
    }
  }
  if (config.routes.empty() && config.upstreams.size() == 1 && !places.contains("routes")) {
    config.routes.emplace_back().upstream = config.upstreams.front().name;
  }
}

void validate(const Config& config, const Places& places, Diagnostics& diagnostics) {
  Validator(config, places, diagnostics).run();
  check_balancing(config, places, diagnostics);
  warn_of_races(config, places, diagnostics);
  warn_of_loops(config, places, diagnostics);
}

}  // namespace berth::config
