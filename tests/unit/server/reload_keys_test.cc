// Every key of the schema, changed by a reload: none is passed over in silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "proxy/config/diff.h"
#include "proxy/config/key_hints.h"
#include "proxy/server/reload_report.h"
#include "tests/unit/config/shifter.h"

namespace berth::server {
namespace {

using config::Config;
using config::Endpoint;
using config::TextKind;

// Walks the schema as it is, and gives one key after the other another value: `wanted` counts them.
class OneKey {
 public:
  explicit OneKey(size_t wanted) : wanted_(wanted) {}

  // The key's path in this configuration ("listeners[0].name"), and in the schema
  // ("listeners[].name"); "" if there are not so many keys.
  const std::string& path() const { return path_; }
  const std::string& key() const { return key_; }

  template <class... Rest>
  void boolean(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.boolean(key, rest...);
  }
  template <class... Rest>
  void duration(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.duration(key, rest...);
  }
  template <class... Rest>
  void duration_or(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.duration_or(key, rest...);
  }
  template <class... Rest>
  void count(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.count(key, rest...);
  }
  template <class... Rest>
  void size(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.size(key, rest...);
  }
  template <class... Rest>
  void rate(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.rate(key, rest...);
  }
  template <class... Rest>
  void mode(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.mode(key, rest...);
  }
  template <class... Rest>
  void port_or_off(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.port_or_off(key, rest...);
  }
  void text(std::string_view key, std::string& value, TextKind kind) {
    if (!meant(key)) return;
    const std::string before = value;
    shifter_.text(key, value, kind);
    if (value == before) value += "x";
  }
  template <class... Rest>
  void address(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.address(key, rest...);
  }
  template <class... Rest>
  void texts(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.texts(key, rest...);
  }
  template <class... Rest>
  void texts_or_default(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.texts_or_default(key, rest...);
  }
  template <class... Rest>
  void pairs(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.pairs(key, rest...);
  }
  template <class... Rest>
  void choice(std::string_view key, Rest&&... rest) {
    if (meant(key)) shifter_.choice(key, rest...);
  }
  template <class T>
  void section(std::string_view key, T& value) {
    inside(std::string(key) + ".", std::string(key) + ".", value);
  }
  template <class T>
  void switchable(std::string_view key, T& value) {
    section(key, value);
  }
  template <class T>
  void list(std::string_view key, std::vector<T>& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      inside(std::string(key) + "[" + std::to_string(i) + "].", std::string(key) + "[].",
             values[i]);
    }
  }
  template <class T>
  void named(std::string_view key, std::vector<T>& values) {
    for (T& value : values) {
      inside(std::string(key) + "." + value.name + ".", std::string(key) + ".*.", value);
    }
  }

 private:
  bool meant(std::string_view key) {
    if (seen_++ != wanted_) return false;
    path_ = path_around_ + std::string(key);
    key_ = key_around_ + std::string(key);
    return true;
  }
  template <class T>
  void inside(const std::string& path, const std::string& key, T& value) {
    const std::string path_before = path_around_;
    const std::string key_before = key_around_;
    path_around_ += path;
    key_around_ += key;
    visit_keys(*this, value);
    path_around_ = path_before;
    key_around_ = key_before;
  }

  const size_t wanted_;
  size_t seen_ = 0;
  std::string path_around_;
  std::string key_around_;
  std::string path_;
  std::string key_;
  config::Shifter shifter_;
};

// One of everything.
Config everything() {
  Config config;
  config::Listener& listener = config.listeners.emplace_back();
  listener.name = listener.address.text();
  listener.address = "127.0.0.1:80";
  listener.name = "front";
  listener.tls.certificates.emplace_back();
  config::Upstream& upstream = config.upstreams.emplace_back();
  upstream.name = "app";
  upstream.servers = {{"127.0.0.1:1"}};
  config.routes.emplace_back().upstream = "app";
  return config;
}

Inventory inventory(const Config& config) {
  AddressTable addresses;
  for (const config::Server& server : config.upstreams.front().servers) {
    addresses[server.address.text()] = {net::Address::of(server.address)};
  }
  // No file is read: a key that switches TLS on does so with no certificate behind it.
  static const TlsPlan kPlain(everything(), std::make_shared<net::TicketKeys>());
  return take_inventory(config, addresses, kPlain);
}

bool has_key(const ReloadReport::Part& part, Fate fate, const std::string& key) {
  return std::any_of(part.begin(), part.end(), [&](const ReloadReport::Entry& entry) {
    return entry.fate == fate &&
           std::find(entry.keys.begin(), entry.keys.end(), key) != entry.keys.end();
  });
}

// The report says that this key has changed.
bool tells(const ReloadReport& report, const std::string& path) {
  const auto below = [&path](const std::string& around) { return path.substr(around.size()); };
  if (path.ends_with("].address")) {
    const ReloadReport::Part& part =
        path.starts_with("listeners") ? report.listeners : report.servers;
    return count(part, Fate::Added) == 1 && count(part, Fate::Retired) == 1;
  }
  // Their contents count, not what the files are called.
  if (path.starts_with("listeners[0].tls.certificates")) return true;
  if (path.starts_with("listeners[0].")) {
    return has_key(report.listeners, Fate::Changed, below("listeners[0]."));
  }
  if (path.starts_with("upstreams.app.servers[0].")) {
    return has_key(report.servers, Fate::Changed, below("upstreams.app.servers[0]."));
  }
  if (path.starts_with("upstreams.app.")) {
    const std::string key = below("upstreams.app.");
    return has_key(report.upstreams, Fate::Changed, key) &&
           has_key(report.servers, Fate::Changed, key);
  }
  if (path.starts_with("routes")) return report.routes_changed;
  const auto& settings = report.settings;
  return std::find(settings.begin(), settings.end(), path) != settings.end();
}

TEST(ReloadKeysTest, EveryChangedKeyIsReported) {
  const Config before = everything();
  std::set<std::string> walked;
  for (size_t nth = 0;; ++nth) {
    Config after = before;
    OneKey one(nth);
    visit_keys(one, after);
    if (one.key().empty()) break;
    walked.insert(one.key());
    ASSERT_NE(after, before) << one.path() << " was given another value";
    const ReloadReport report = compare(inventory(before), inventory(after));
    EXPECT_TRUE(tells(report, one.path())) << one.path() << ": " << to_string(report);
    EXPECT_EQ(report.needs_restart.empty(), !config::needs_restart(one.key())) << one.path();
  }
  for (const std::string& key : config::all_keys()) {
    const bool seen = std::any_of(walked.begin(), walked.end(), [&key](const std::string& leaf) {
      return leaf == key || leaf.starts_with(key + ".") || leaf.starts_with(key + "[");
    });
    EXPECT_TRUE(seen) << key << ": everything() has none";
  }
}

// How the running process takes a key over.
enum class Taken {
  InUse,    // whatever uses it reads it from the settings in effect, each time
  Applied,  // what it concerns is told, or made anew
  Newly,    // connections that are made from then on have it
  Restart,
};

// Whoever adds a key says here how a reload takes it over, having looked: a key that is copied when
// something is made, and not told of afterwards, would be changed in silence.
const std::map<std::string, Taken>& how_taken() {
  static const std::map<std::string, Taken> kTaken = {
      {"workers", Taken::Restart},
      {"memory_budget", Taken::InUse},
      {"spool.enabled", Taken::Applied},
      {"spool.path", Taken::Applied},
      {"spool.max_size", Taken::Applied},
      {"spool.budget", Taken::Applied},
      {"listeners[].address", Taken::Applied},
      {"listeners[].name", Taken::Applied},
      {"listeners[].keepalive_timeout", Taken::Applied},
      {"listeners[].keepalive_requests", Taken::InUse},
      {"listeners[].keepalive_time", Taken::InUse},
      {"listeners[].handshake_timeout", Taken::Applied},
      {"listeners[].header_timeout", Taken::Applied},
      {"listeners[].body_timeout", Taken::Applied},
      {"listeners[].send_timeout", Taken::Applied},
      {"listeners[].min_body_rate", Taken::InUse},
      {"listeners[].min_send_rate", Taken::InUse},
      {"listeners[].max_head", Taken::InUse},
      {"listeners[].max_target", Taken::InUse},
      {"listeners[].max_fields", Taken::InUse},
      {"listeners[].max_body", Taken::InUse},
      {"listeners[].max_connections", Taken::Applied},
      {"listeners[].backlog", Taken::Applied},
      {"listeners[].half_close", Taken::InUse},
      {"listeners[].unix_mode", Taken::Applied},
      {"listeners[].tcp_keepalive.enabled", Taken::Newly},
      {"listeners[].tcp_keepalive.idle", Taken::Newly},
      {"listeners[].tcp_keepalive.interval", Taken::Newly},
      {"listeners[].tcp_keepalive.count", Taken::Newly},
      {"listeners[].http2.enabled", Taken::Newly},
      {"listeners[].http2.cleartext", Taken::Newly},
      {"listeners[].http2.max_streams", Taken::Newly},
      {"listeners[].tls.enabled", Taken::Newly},
      {"listeners[].tls.certificates[].certificate", Taken::Newly},
      {"listeners[].tls.certificates[].key", Taken::Newly},
      {"listeners[].tls.min_version", Taken::Newly},
      {"listeners[].tls.ciphers", Taken::Newly},
      {"listeners[].tls.session_tickets", Taken::Newly},
      {"listeners[].tls.client_certificate", Taken::Newly},
      {"listeners[].tls.client_ca", Taken::Newly},
      {"listeners[].tls.client_subject_header", Taken::InUse},
      {"listeners[].redirect_to_https", Taken::InUse},
      {"listeners[].hsts.enabled", Taken::Applied},
      {"listeners[].hsts.max_age", Taken::Applied},
      {"listeners[].hsts.include_subdomains", Taken::Applied},
      {"listeners[].hsts.preload", Taken::Applied},
      {"listeners[].proxy_protocol.from", Taken::Applied},
      {"upstreams.*.servers[].address", Taken::Applied},
      {"upstreams.*.servers[].weight", Taken::Applied},
      {"upstreams.*.servers[].backup", Taken::Applied},
      {"upstreams.*.balance", Taken::InUse},
      {"upstreams.*.hash.by", Taken::InUse},
      {"upstreams.*.hash.name", Taken::InUse},
      {"upstreams.*.sticky.cookie", Taken::InUse},
      {"upstreams.*.sticky.max_age", Taken::InUse},
      {"upstreams.*.sticky.path", Taken::InUse},
      {"upstreams.*.sticky.secure", Taken::InUse},
      {"upstreams.*.sticky.http_only", Taken::InUse},
      {"upstreams.*.sticky.same_site", Taken::InUse},
      {"upstreams.*.slow_start", Taken::InUse},
      {"upstreams.*.pool.max_connections", Taken::Applied},
      {"upstreams.*.pool.max_idle", Taken::Applied},
      {"upstreams.*.pool.min_idle", Taken::Applied},
      {"upstreams.*.pool.keepalive_timeout", Taken::Applied},
      {"upstreams.*.pool.keepalive_requests", Taken::Applied},
      {"upstreams.*.pool.keepalive_time", Taken::Applied},
      {"upstreams.*.pool.reuse", Taken::InUse},
      {"upstreams.*.pool.queue_size", Taken::Applied},
      {"upstreams.*.pool.queue_timeout", Taken::InUse},
      {"upstreams.*.pool.wait_while_down", Taken::InUse},
      {"upstreams.*.pool.close_timeout", Taken::InUse},
      {"upstreams.*.pool.rest_timeout", Taken::InUse},
      {"upstreams.*.pool.max_upgraded", Taken::Applied},
      {"upstreams.*.retry.attempts", Taken::InUse},
      {"upstreams.*.retry.budget_percent", Taken::InUse},
      {"upstreams.*.retry.budget_min", Taken::InUse},
      {"upstreams.*.retry.non_idempotent", Taken::InUse},
      {"upstreams.*.ejection.enabled", Taken::Applied},
      {"upstreams.*.ejection.errors", Taken::InUse},
      {"upstreams.*.ejection.count", Taken::InUse},
      {"upstreams.*.ejection.time", Taken::InUse},
      {"upstreams.*.ejection.max_time", Taken::InUse},
      {"upstreams.*.ejection.max_percent", Taken::InUse},
      {"upstreams.*.health.enabled", Taken::Applied},
      {"upstreams.*.health.path", Taken::Applied},
      {"upstreams.*.health.host", Taken::Applied},
      {"upstreams.*.health.interval", Taken::Applied},
      {"upstreams.*.health.timeout", Taken::Applied},
      {"upstreams.*.health.healthy_after", Taken::Applied},
      {"upstreams.*.health.unhealthy_after", Taken::Applied},
      {"upstreams.*.health.status", Taken::Applied},
      {"upstreams.*.connect_timeout", Taken::Applied},
      {"upstreams.*.response_timeout", Taken::Applied},
      {"upstreams.*.idle_timeout", Taken::Applied},
      {"upstreams.*.upgrade_timeout", Taken::Applied},
      {"upstreams.*.request_body", Taken::InUse},
      {"upstreams.*.request_buffer", Taken::InUse},
      {"upstreams.*.response_buffer", Taken::InUse},
      {"upstreams.*.max_response_head", Taken::InUse},
      {"upstreams.*.max_fields", Taken::InUse},
      {"upstreams.*.tcp_keepalive.enabled", Taken::Newly},
      {"upstreams.*.tcp_keepalive.idle", Taken::Newly},
      {"upstreams.*.tcp_keepalive.interval", Taken::Newly},
      {"upstreams.*.tcp_keepalive.count", Taken::Newly},
      {"upstreams.*.tls.enabled", Taken::Applied},
      {"upstreams.*.tls.verify", Taken::Applied},
      {"upstreams.*.tls.ca", Taken::Applied},
      {"upstreams.*.tls.server_name", Taken::Applied},
      {"upstreams.*.tls.certificate", Taken::Applied},
      {"upstreams.*.tls.key", Taken::Applied},
      {"upstreams.*.proxy_protocol", Taken::Applied},
      {"routes[].host", Taken::InUse},
      {"routes[].path", Taken::InUse},
      {"routes[].upstream", Taken::InUse},
      {"routes[].request_body", Taken::InUse},
      {"routes[].request_headers.set", Taken::InUse},
      {"routes[].request_headers.remove", Taken::InUse},
      {"routes[].response_headers.set", Taken::InUse},
      {"routes[].response_headers.remove", Taken::InUse},
      {"forwarding.trusted_proxies", Taken::InUse},
      {"forwarding.strip", Taken::InUse},
      {"forwarding.via", Taken::InUse},
      {"forwarding.forwarded", Taken::InUse},
      {"forwarding.request_id", Taken::InUse},
      {"admin.address", Taken::Restart},
      {"admin.hosts", Taken::InUse},
      {"access_log.enabled", Taken::Applied},
      {"access_log.path", Taken::Applied},
      {"access_log.format", Taken::Applied},
      {"access_log.template", Taken::Applied},
      {"access_log.min_status", Taken::Applied},
      {"access_log.sample", Taken::Applied},
      {"resolver.enabled", Taken::Applied},
      {"resolver.nameservers", Taken::Applied},
      {"resolver.min_ttl", Taken::Applied},
      {"resolver.max_ttl", Taken::Applied},
      {"shutdown.delay", Taken::InUse},
      {"shutdown.grace", Taken::InUse},
  };
  return kTaken;
}

TEST(ReloadKeysTest, EveryKeyIsTakenOverInAKnownWay) {
  std::set<std::string> known;
  for (const auto& [key, how] : how_taken()) {
    known.insert(key);
    EXPECT_EQ(how == Taken::Restart, config::needs_restart(key)) << key;
  }
  std::set<std::string> walked;
  for (size_t nth = 0;; ++nth) {
    Config config = everything();
    OneKey one(nth);
    visit_keys(one, config);
    if (one.key().empty()) break;
    walked.insert(one.key());
  }
  EXPECT_EQ(known, walked);
}

}  // namespace
}  // namespace berth::server
