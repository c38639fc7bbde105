// Keep-alive settings that will race: one side closes an idle connection as the other one uses it.
#include "proxy/config/units.h"
#include "proxy/config/validate.h"

namespace berth::config {
namespace {

// server.keepAliveTimeout, unless the app sets it.
constexpr Duration kNodeKeepalive = 5s;
// Below this, clients meet a closed connection often: the advertised limit is a second shorter.
constexpr Duration kShortClientKeepalive = 2s;
// Idle time after which common proxies and load balancers in front close their own connections.
constexpr Duration kFrontKeepalive = 60s;

void warn_about_pool(const Upstream& upstream, const Places& places, Diagnostics& diagnostics) {
  const Pool& pool = upstream.pool;
  const std::string path = "upstreams." + upstream.name + ".pool.";
  const auto at = [&](std::string_view key) { return place_of(places, path + std::string(key)); };
  if (pool.max_idle > pool.max_connections) {
    diagnostics.warning(at("max_idle"), "max_idle " + std::to_string(pool.max_idle) +
                                            " is above max_connections " +
                                            std::to_string(pool.max_connections) +
                                            ": there are never that many connections to be idle");
  }
  if (pool.max_idle == 0) {
    diagnostics.warning(at("max_idle"), "max_idle 0 closes every connection after its response",
                        "each request then waits for a new connection");
  }
  if (pool.keepalive_requests == 1) {
    diagnostics.warning(at("keepalive_requests"),
                        "keepalive_requests 1 closes every connection after its response",
                        "each request then waits for a new connection");
  }
  if (!pool.keepalive_timeout) return;
  if (*pool.keepalive_timeout >= kNodeKeepalive) {
    diagnostics.warning(
        at("keepalive_timeout"),
        "keepalive_timeout " + format_duration(*pool.keepalive_timeout) + " of upstream '" +
            upstream.name +
            "' will race with Node servers: they close idle connections after 5s unless the app"
            " sets server.keepAliveTimeout",
        "auto follows each server; a fixed time must be below every server's own");
  }
  if (pool.keepalive_time < *pool.keepalive_timeout) {
    diagnostics.warning(at("keepalive_time"), "keepalive_time is below keepalive_timeout",
                        "connections end before they can be idle that long");
  }
}

void warn_about_listener(const Listener& listener, const std::string& path, bool proxies_in_front,
                         const Places& places, Diagnostics& diagnostics) {
  const auto at = [&](std::string_view key) { return place_of(places, path + std::string(key)); };
  const std::string timeout = format_duration(listener.keepalive_timeout);
  if (listener.keepalive_timeout < kShortClientKeepalive) {
    diagnostics.warning(at("keepalive_timeout"),
                        "keepalive_timeout " + timeout +
                            " is so short that clients will send on connections that just closed",
                        "2s or more; to close after every response, set keepalive_requests: 1");
  } else if (proxies_in_front && listener.keepalive_timeout <= kFrontKeepalive) {
    diagnostics.warning(at("keepalive_timeout"),
                        "keepalive_timeout " + timeout +
                            " will race with the proxy in front (trusted_proxies): most keep idle"
                            " connections for 60s",
                        "longer than the proxy in front keeps its own, such as 75s");
  }
  if (listener.keepalive_time < listener.keepalive_timeout) {
    diagnostics.warning(at("keepalive_time"), "keepalive_time is below keepalive_timeout",
                        "connections end before they can be idle that long");
  }
}

}  // namespace

void warn_of_races(const Config& config, const Places& places, Diagnostics& diagnostics) {
  for (const Upstream& upstream : config.upstreams) {
    warn_about_pool(upstream, places, diagnostics);
  }
  const bool proxies_in_front = !config.forwarding.trusted_proxies.empty();
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const std::string path = "listeners[" + std::to_string(i) + "].";
    warn_about_listener(config.listeners[i], path, proxies_in_front, places, diagnostics);
  }
}

}  // namespace berth::config
