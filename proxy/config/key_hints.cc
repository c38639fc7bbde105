#include "proxy/config/key_hints.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "proxy/config/schema.h"
#include "proxy/config/suggest.h"

namespace berth::config {
namespace {

// A visitor that notes the path of each key.
class KeyLister {
 public:
  explicit KeyLister(std::vector<std::string>& out) : out_(out) {}

  void boolean(std::string_view key, bool& /*value*/) { note(key); }
  void duration(std::string_view key, Duration& /*value*/, const DurationBounds& /*bounds*/) {
    note(key);
  }
  void duration_or(std::string_view key, std::optional<Duration>& /*value*/,
                   const DurationBounds& /*bounds*/, const Keyword& /*keyword*/) {
    note(key);
  }
  void count(std::string_view key, uint32_t& /*value*/, const NumberBounds& /*bounds*/,
             const Keyword* /*keyword*/ = nullptr) {
    note(key);
  }
  void size(std::string_view key, uint64_t& /*value*/, const NumberBounds& /*bounds*/,
            const Keyword* /*keyword*/ = nullptr) {
    note(key);
  }
  void rate(std::string_view key, uint64_t& /*value*/, const NumberBounds& /*bounds*/,
            const Keyword& /*keyword*/) {
    note(key);
  }
  void mode(std::string_view key, uint32_t& /*value*/) { note(key); }
  void port_or_off(std::string_view key, uint32_t& /*value*/, uint32_t /*usual*/) { note(key); }
  void text(std::string_view key, std::string& /*value*/, TextKind /*kind*/) { note(key); }
  void address(std::string_view key, Endpoint& /*value*/, TextKind /*kind*/) { note(key); }
  template <class T>
  void texts(std::string_view key, T& /*value*/, TextKind /*kind*/) {
    note(key);
  }
  template <class T>
  void texts_or_default(std::string_view key, T& /*value*/, TextKind /*kind*/) {
    note(key);
  }
  template <class T>
  void pairs(std::string_view key, T& /*value*/) {
    note(key);
  }
  template <class E, class C>
  void choice(std::string_view key, E& /*value*/, const C& /*choices*/) {
    note(key);
  }
  template <class T>
  void section(std::string_view key, T& value) {
    note(key);
    below(std::string(key) + ".", value);
  }
  template <class T>
  void switchable(std::string_view key, T& value) {
    section(key, value);
  }
  template <class T>
  void list(std::string_view key, std::vector<T>& /*value*/) {
    note(key);
    T item;
    below(std::string(key) + "[].", item);
  }
  template <class T>
  void named(std::string_view key, std::vector<T>& /*value*/) {
    note(key);
    T item;
    below(std::string(key) + ".*.", item);
  }

 private:
  void note(std::string_view key) { out_.push_back(prefix_ + std::string(key)); }

  template <class T>
  void below(const std::string& more, T& value) {
    const size_t length = prefix_.size();
    prefix_ += more;
    visit_keys(*this, value);
    prefix_.resize(length);
  }

  std::vector<std::string>& out_;
  std::string prefix_;
};

// Words of nginx, HAProxy, Envoy, Caddy and others. Only those that are keys where they were
// written count.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"listen", "listeners"},
    {"ssl", "tls"},
    {"https", "tls"},
    {"ssl_certificate", "certificate"},
    {"cert", "certificate"},
    {"certificate", "certificates"},
    {"certs", "certificates"},
    {"ssl_certificate_key", "key"},
    {"private_key", "key"},
    {"ssl_protocols", "min_version"},
    {"ssl_ciphers", "ciphers"},
    {"ssl_session_tickets", "session_tickets"},
    {"ssl_client_certificate", "client_ca"},
    {"ssl_verify_client", "client_certificate"},
    {"proxy_ssl_verify", "verify"},
    {"proxy_ssl_name", "server_name"},
    {"sni", "server_name"},
    {"trusted_certificate", "ca"},
    {"proxy_ssl_trusted_certificate", "ca"},
    {"accept_proxy", "proxy_protocol"},
    {"send_proxy", "proxy_protocol"},
    {"listen", "address"},
    {"bind", "address"},
    {"bind", "listeners"},
    {"port", "address"},
    {"socket", "address"},
    {"backend", "upstream"},
    {"cluster", "upstream"},
    {"proxy_pass", "upstream"},
    {"to", "upstream"},
    {"target", "upstream"},
    {"backends", "upstreams"},
    {"clusters", "upstreams"},
    {"location", "path"},
    {"prefix", "path"},
    {"locations", "routes"},
    {"server_name", "host"},
    {"domain", "host"},
    {"endpoints", "servers"},
    {"hosts", "servers"},
    {"targets", "servers"},
    {"max_conns", "max_connections"},
    {"maxconn", "max_connections"},
    {"size", "max_connections"},
    {"keepalive", "max_idle"},
    {"maxqueue", "queue_size"},
    {"client_max_body_size", "max_body"},
    {"body_limit", "max_body"},
    {"max_request_body_size", "max_body"},
    {"proxy_connect_timeout", "connect_timeout"},
    {"proxy_read_timeout", "response_timeout"},
    {"read_timeout", "idle_timeout"},
    {"client_header_timeout", "header_timeout"},
    {"client_body_timeout", "body_timeout"},
    {"idle_timeout", "keepalive_timeout"},
    {"max_requests", "keepalive_requests"},
    {"max_age", "keepalive_time"},
    {"health_check", "health"},
    {"health_checks", "health"},
    {"healthcheck", "health"},
    {"active_health", "health"},
    {"uri", "path"},
    {"fall", "unhealthy_after"},
    {"unhealthy_threshold", "unhealthy_after"},
    {"rise", "healthy_after"},
    {"healthy_threshold", "healthy_after"},
    {"expected_statuses", "status"},
    {"expect_status", "status"},
    {"period", "interval"},
    {"dns", "resolver"},
    {"resolvers", "resolver"},
    {"servers", "nameservers"},
    {"nameserver", "nameservers"},
    {"outlier_detection", "ejection"},
    {"passive_health", "ejection"},
    {"max_fails", "errors"},
    {"consecutive_errors", "errors"},
    {"consecutive_gateway_failure", "errors"},
    {"fail_timeout", "time"},
    {"base_ejection_time", "time"},
    {"fail_duration", "time"},
    {"max_ejection_time", "max_time"},
    {"max_ejection_percent", "max_percent"},
    {"worker_processes", "workers"},
    {"nbthread", "workers"},
    {"threads", "workers"},
    {"samesite", "same_site"},
    {"httponly", "http_only"},
    {"max-age", "max_age"},
    {"sticky_cookie", "sticky"},
    {"affinity", "sticky"},
    {"slowstart", "slow_start"},
    {"algorithm", "balance"},
    {"lb_policy", "balance"},
    {"log", "access_log"},
    {"logging", "access_log"},
    {"metrics", "admin"},
    {"grace_period", "grace"},
    {"timeout", "grace"},
    {"headers", "request_headers"},
};

// Words whose key is at another place here.
struct Elsewhere {
  std::string_view word;
  std::string_view key;          // its path, in the schema's shape
  std::string_view value = {};   // that says the same; "": the word's own
  std::string_view within = {};  // where the word was written; "": anywhere
};
constexpr Elsewhere kElsewhere[] = {
    {"server_name", "routes[].host", "", "listeners"},
    {"keepalive", "upstreams.*.pool.max_idle"},
    {"max_conns", "upstreams.*.pool.max_connections"},
    {"maxconn", "upstreams.*.pool.max_connections"},
    {"maxqueue", "upstreams.*.pool.queue_size"},
    {"max_requests", "upstreams.*.pool.keepalive_requests"},
    {"least_conn", "upstreams.*.balance", "least_requests"},
    {"leastconn", "upstreams.*.balance", "least_requests"},
    {"roundrobin", "upstreams.*.balance", "round_robin"},
    {"random", "upstreams.*.balance", "random_two"},
    {"ip_hash", "upstreams.*.hash", "{by: client_address}"},
    {"max_fails", "upstreams.*.ejection.errors"},
    {"fail_timeout", "upstreams.*.ejection.time"},
    {"proxy_connect_timeout", "upstreams.*.connect_timeout"},
    {"proxy_read_timeout", "upstreams.*.response_timeout"},
    {"proxy_send_timeout", "upstreams.*.idle_timeout"},
    {"proxy_next_upstream", "upstreams.*.retry"},
    {"proxy_set_header", "routes[].request_headers.set"},
    {"header_up", "routes[].request_headers.set"},
    {"add_header", "routes[].response_headers.set"},
    {"header_down", "routes[].response_headers.set"},
    {"proxy_hide_header", "routes[].response_headers.remove"},
    {"proxy_request_buffering", "upstreams.*.request_body"},
    {"client_max_body_size", "listeners[].max_body"},
    {"client_body_timeout", "listeners[].body_timeout"},
    {"client_header_timeout", "listeners[].header_timeout"},
    {"large_client_header_buffers", "listeners[].max_head"},
    {"ssl_certificate", "listeners[].tls.certificates[].certificate"},
    {"ssl_certificate_key", "listeners[].tls.certificates[].key"},
    {"ssl_protocols", "listeners[].tls.min_version"},
    {"ssl_ciphers", "listeners[].tls.ciphers"},
    {"location", "routes[].path"},
    {"handle", "routes[].path"},
    {"reverse_proxy", "routes[].upstream"},
    {"proxy_pass", "routes[].upstream"},
    {"use_backend", "routes[].upstream"},
    {"default_backend", "routes[].upstream"},
    {"set_real_ip_from", "forwarding.trusted_proxies"},
    {"real_ip_header", "forwarding.trusted_proxies"},
    {"worker_processes", "workers"},
    {"nbthread", "workers"},
};

constexpr std::string_view kUpstreams = "upstreams.";

std::string_view last_part(std::string_view path) {
  return path.substr(path.rfind('.') + 1);
}

// `path` of the file as a path of the schema's shape, so that the two can be compared: indices go,
// and so does the name of an upstream.
std::string shape_of(std::string_view path) {
  std::string out;
  bool index = false;
  for (const char c : path) {
    if (c == ']') index = false;
    if (!index) out += c;
    if (c == '[') index = true;
  }
  if (out.starts_with(kUpstreams)) {
    const size_t end = out.find('.', kUpstreams.size());
    out = std::string(kUpstreams) + "*" + (end == std::string::npos ? "" : out.substr(end));
  }
  return out;
}

size_t common_prefix(std::string_view a, std::string_view b) {
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<size_t>(at - a.begin());
}

// `path` of the schema for people: "upstreams.*.pool" as "upstreams.app.pool" if the unknown key is
// somewhere in upstreams.app.
std::string readable(std::string_view path, std::string_view near) {
  std::string out(path);
  const size_t star = out.find('*');
  if (star == std::string::npos) return out;
  std::string name = "NAME";
  if (near.starts_with(kUpstreams)) {
    const std::string_view rest = near.substr(kUpstreams.size());
    name = rest.substr(0, rest.find('.'));
  }
  return out.replace(star, 1, name);
}

// Where `key` would be right: of all places those closest to `path`, joined by "or". Or "".
std::string right_places(std::string_view key, std::string_view path) {
  const std::string shape = shape_of(path);
  std::string places;
  size_t best = 0;
  for (const std::string& candidate : all_keys()) {
    if (last_part(candidate) != key || candidate.size() == key.size()) continue;
    const size_t common = common_prefix(candidate, shape) + 1;
    if (common < best) continue;
    if (common > best) places.clear();
    best = common;
    const std::string_view parent(candidate.data(), candidate.size() - key.size() - 1);
    places += (places.empty() ? "" : " or ") + readable(parent, path);
  }
  return places;
}

std::string listed(std::span<const std::string_view> known) {
  constexpr size_t kMost = 9;
  if (known.empty() || known.size() > kMost) return {};
  std::string out = known.size() == 1 ? "the only key here is" : "the keys here are";
  for (size_t i = 0; i < known.size(); ++i) {
    const bool last = i + 1 == known.size();
    out += (i == 0 ? " " : last ? " and " : ", ") + std::string(known[i]);
  }
  return out;
}

}  // namespace

const std::vector<std::string>& all_keys() {
  static const std::vector<std::string> keys = [] {
    std::vector<std::string> out;
    KeyLister lister(out);
    Config config;
    visit_keys(lister, config);
    return out;
  }();
  return keys;
}

std::string unknown_key_hint(std::string_view key, std::string_view path,
                             std::span<const std::string_view> known) {
  for (const auto& [word, ours] : kOtherWords) {
    if (word == key && std::find(known.begin(), known.end(), ours) != known.end()) {
      return "did you mean " + std::string(ours) + "?";
    }
  }
  for (const Elsewhere& other : kElsewhere) {
    if (other.word != key || !path.starts_with(other.within)) continue;
    std::string hint = "here it is " + readable(other.key, path);
    if (!other.value.empty()) hint.append(": ").append(other.value);
    return hint;
  }
  if (const std::string places = right_places(key, path); !places.empty()) {
    return "it belongs in " + places;
  }
  if (const std::string_view near = nearest(key, known); !near.empty()) {
    return "did you mean " + std::string(near) + "?";
  }
  return listed(known);
}

}  // namespace berth::config
