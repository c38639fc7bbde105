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
  void duration_or_auto(std::string_view key, std::optional<Duration>& /*value*/,
                        const DurationBounds& /*bounds*/) {
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
  void mode(std::string_view key, uint32_t& /*value*/) { note(key); }
  void text(std::string_view key, std::string& /*value*/, TextKind /*kind*/) { note(key); }
  template <class T>
  void texts(std::string_view key, T& /*value*/, TextKind /*kind*/) {
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
    {"worker_processes", "workers"},
    {"nbthread", "workers"},
    {"threads", "workers"},
    {"algorithm", "balance"},
    {"lb_policy", "balance"},
    {"log", "access_log"},
    {"logging", "access_log"},
    {"metrics", "admin"},
    {"grace_period", "grace"},
    {"timeout", "grace"},
    {"headers", "request_headers"},
};

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
  constexpr std::string_view kUpstreams = "upstreams.";
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

// Where `key` would be right: of all places, the one closest to `path`.
std::string_view right_place(std::string_view key, std::string_view path) {
  const std::string shape = shape_of(path);
  std::string_view best;
  size_t best_common = 0;
  for (const std::string& candidate : all_keys()) {
    if (last_part(candidate) != key) continue;
    const size_t common = common_prefix(candidate, shape) + 1;
    if (common > best_common) {
      best = candidate;
      best_common = common;
    }
  }
  return best;
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
  if (const std::string_view place = right_place(key, path); !place.empty()) {
    return "it belongs in " + std::string(place.substr(0, place.size() - key.size() - 1));
  }
  if (const std::string_view near = nearest(key, known); !near.empty()) {
    return "did you mean " + std::string(near) + "?";
  }
  for (const auto& [word, ours] : kOtherWords) {
    if (word == key && std::find(known.begin(), known.end(), ours) != known.end()) {
      return "did you mean " + std::string(ours) + "?";
    }
  }
  return {};
}

}  // namespace berth::config
