#include "proxy/exchange/router.h"

#include <algorithm>

#include "proxy/base/letter_case.h"
#include "proxy/http/char_class.h"

namespace berth::exchange {

namespace {

// "a.example." is the same name as "a.example" (RFC 1034 section 3.1).
std::string_view without_last_dot(std::string_view host) {
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return host;
}

// Without the port; "[::1]:80" gives "[::1]".
std::string_view host_only(std::string_view authority) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return authority;
  if (bracket != std::string_view::npos && colon < bracket) return authority;
  return authority.substr(0, colon);
}

// Anything in the path that normalising could change.
bool is_plain(std::string_view path) {
  char before = '\0';
  for (const char c : path) {
    if (c == '?') return true;
    if (c == '%' || c == '\\') return false;
    if (before == '/' && (c == '/' || c == '.')) return false;
    before = c;
  }
  return true;
}

const RouteTarget* longest(const std::vector<RouteTarget>& paths, std::string_view path) {
  for (const RouteTarget& target : paths) {
    if (path_has_prefix(path, target.route->path)) return &target;
  }
  return nullptr;
}

bool same_treatment(const RouteTarget* a, const RouteTarget* b) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr || a->cluster != b->cluster) return false;
  return a->route->request_headers == b->route->request_headers &&
         a->route->response_headers == b->route->response_headers &&
         a->request_body() == b->request_body();
}

void sort_longest_first(std::vector<RouteTarget>& paths) {
  std::stable_sort(paths.begin(), paths.end(), [](const RouteTarget& a, const RouteTarget& b) {
    return a.route->path.size() > b.route->path.size();
  });
}

}  // namespace

bool path_has_prefix(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  if (prefix.ends_with('/') || path.size() == prefix.size()) return true;
  const char next = path[prefix.size()];
  return next == '/' || next == '?';
}

std::string equivalent_path(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%' && i + 2 < path.size() && http::hex_value(path[i + 1]) >= 0 &&
        http::hex_value(path[i + 2]) >= 0) {
      const char decoded =
          static_cast<char>(http::hex_value(path[i + 1]) * 16 + http::hex_value(path[i + 2]));
      if (http::is_class(decoded, http::kHostChar)) {  // RFC 3986's unreserved set
        c = decoded;
        i += 2;
      }
    }
    if (c == '/' && out.ends_with('/')) continue;
    out.push_back(c);
  }
  return out;
}

std::string normalised_path(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%' && i + 2 < path.size() && http::hex_value(path[i + 1]) >= 0 &&
        http::hex_value(path[i + 2]) >= 0) {
      c = static_cast<char>(http::hex_value(path[i + 1]) * 16 + http::hex_value(path[i + 2]));
      i += 2;
    }
    decoded.push_back(c == '\\' ? '/' : c);
  }
  std::vector<std::string_view> segments;
  std::string_view rest = decoded;
  bool directory = false;  // ends in a slash, or in a dot segment
  while (!rest.empty()) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    directory = segment.empty() || segment == "." || segment == "..";
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (!directory) segments.push_back(segment);
  }
  directory = directory || decoded.ends_with('/');
  std::string out;
  for (const std::string_view segment : segments) out.append("/").append(segment);
  if (directory || out.empty()) out.push_back('/');
  return out;
}

Router::Router(config::SnapshotPtr snapshot,
               const std::unordered_map<std::string_view, upstream::Cluster*>& clusters,
               stats::Registry* registry)
    : snapshot_(std::move(snapshot)), trusted_(snapshot_->config.forwarding.trusted_proxies) {
  // The headers in which listeners tell of client certificates: no client may send them.
  std::vector<std::string> subject_headers;
  for (const config::Listener& listener : snapshot_->config.listeners) {
    const config::ListenerTls& tls = listener.tls;
    if (tls.enabled && tls.client_certificate != config::ClientCertificate::None) {
      subject_headers.push_back(tls.client_subject_header);
    }
  }
  for (const config::Route& route : snapshot_->config.routes) {
    const config::Forwarding& forwarding = snapshot_->config.forwarding;
    if (registry != nullptr) stats_.push_back(registry->route(route.host + route.path));
    const RouteTarget target{
        .route = &route,
        .cluster = clusters.at(route.upstream),
        .strangers =
            &filters_.emplace_back(forwarding, route.request_headers, subject_headers, false),
        .trusted = &filters_.emplace_back(forwarding, route.request_headers, subject_headers, true),
        .stats = registry != nullptr ? stats_.back().get() : nullptr};
    if (route.host == "*") {
      any_.push_back(target);
    } else if (route.host.starts_with("*.")) {
      const std::string suffix = to_lower(without_last_dot(route.host).substr(1));
      auto at = std::find_if(suffixes_.begin(), suffixes_.end(),
                             [&](const auto& entry) { return entry.first == suffix; });
      if (at == suffixes_.end()) at = suffixes_.insert(at, {suffix, {}});
      at->second.push_back(target);
    } else {
      exact_[to_lower(without_last_dot(route.host))].push_back(target);
    }
  }
  for (auto& [host, paths] : exact_) sort_longest_first(paths);
  for (auto& [suffix, paths] : suffixes_) sort_longest_first(paths);
  sort_longest_first(any_);
  std::stable_sort(suffixes_.begin(), suffixes_.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  one_route_ =
      exact_.empty() && suffixes_.empty() && any_.size() == 1 && any_.front().route->path == "/";
}

const RouteTarget* Router::match(std::string_view host, std::string_view path) const {
  if (const auto at = exact_.find(std::string(host)); at != exact_.end()) {
    if (const RouteTarget* found = longest(at->second, path)) return found;
  }
  for (const auto& [suffix, paths] : suffixes_) {
    if (host.size() <= suffix.size() || !host.ends_with(suffix)) continue;
    if (const RouteTarget* found = longest(paths, path)) return found;
  }
  return longest(any_, path);
}

Result<RouteTarget, Refusal> Router::find(std::string_view host, std::string_view path) const {
  if (one_route_) return any_.front();
  // OPTIONS * concerns the server as a whole: the host alone decides.
  if (path == "*") path = "/";
  const std::string lowered = exact_.empty() && suffixes_.empty()
                                  ? std::string()
                                  : to_lower(without_last_dot(host_only(host)));
  const RouteTarget* found = match(lowered, path);
  if (!is_plain(path)) {
    const RouteTarget* normal = match(lowered, normalised_path(path));
    if (!same_treatment(normal, found)) {
      // No route is passed by where the path as it came has none.
      const bool decided = found == nullptr && match(lowered, equivalent_path(path)) == normal;
      if (!decided) return Failure{Refusal(CloseReason::AmbiguousPath)};
      found = normal;
    }
  }
  if (found == nullptr) return Failure{Refusal(CloseReason::NoRoute)};
  return *found;
}

}  // namespace berth::exchange
