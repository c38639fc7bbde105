// Which route a request takes: by host (exact, "*.suffix", "*") and path prefix.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/base/close_reason.h"
#include "proxy/base/local_ptr.h"
#include "proxy/base/result.h"
#include "proxy/config/snapshot.h"
#include "proxy/exchange/request_filter.h"
#include "proxy/exchange/trusted_proxies.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster.h"

namespace berth::exchange {

struct RouteTarget {
  const config::Route* route = nullptr;
  upstream::Cluster* cluster = nullptr;
  const RequestFilter* strangers = nullptr;  // what of a request of theirs gets through
  const RequestFilter* trusted = nullptr;
  stats::RouteStats* stats = nullptr;  // nullptr: it is not counted

  config::RequestBody request_body() const {
    return route->request_body != config::RequestBody::Inherit ? route->request_body
                                                               : cluster->settings().request_body;
  }
};

// One snapshot's routes as one worker uses them; requests hold the table that they began with. The
// most specific host that has a matching path wins, within it the longest path.
class Router final : public LocalCounted {
 public:
  // `clusters`: by upstream name; they outlive the router. `registry`: where routes are counted;
  // nullptr: nowhere.
  Router(config::SnapshotPtr snapshot,
         const std::unordered_map<std::string_view, upstream::Cluster*>& clusters,
         stats::Registry* registry = nullptr);

  // `host`: with or without port and last dot. `path`: with or without query. Refuses with NoRoute,
  // or AmbiguousPath where the path as received and the path that a server may make of it take
  // routes that treat it differently. Where the path as received has no route, its
  // equivalent_path() decides.
  Result<RouteTarget, Refusal> find(std::string_view host, std::string_view path) const;

  const config::Config& config() const { return snapshot_->config; }
  const TrustedProxies& trusted() const { return trusted_; }

 private:
  // Longest path first.
  using Paths = std::vector<RouteTarget>;

  const RouteTarget* match(std::string_view host, std::string_view path) const;

  config::SnapshotPtr snapshot_;
  TrustedProxies trusted_;
  std::deque<RequestFilter> filters_;
  std::vector<std::shared_ptr<stats::RouteStats>> stats_;
  std::unordered_map<std::string, Paths> exact_;         // lower case
  std::vector<std::pair<std::string, Paths>> suffixes_;  // ".example.com", longest first
  Paths any_;
  bool one_route_ = false;  // "*" and "/": nothing to look at
};

// `path` written anew without a change of meaning: percent-encoded letters, digits and "-._~"
// decoded (RFC 3986 section 6.2.2.2), slashes in a row as one; no query.
std::string equivalent_path(std::string_view path);

// `path` as a lenient server might read it: percent-decoded, backslashes turned, empty and dot
// segments resolved, no query.
std::string normalised_path(std::string_view path);

// By whole segments: "/api" covers "/api", "/api/x" and "/api?x", not "/apix".
bool path_has_prefix(std::string_view path, std::string_view prefix);

}  // namespace berth::exchange
