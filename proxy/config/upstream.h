// The app servers: who they are, how they are chosen, and the limits of their connections.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proxy/config/address_syntax.h"
#include "proxy/config/health.h"
#include "proxy/config/sizes.h"
#include "proxy/config/tcp_keepalive.h"
#include "proxy/config/tls.h"

namespace berth::config {

enum class Balance : uint8_t { RoundRobin, LeastRequests, RandomTwo, Hash };

enum class HashBy : uint8_t { ClientAddress, Header, Cookie };

// What balance: hash looks at.
struct Hash {
  HashBy by = HashBy::ClientAddress;
  std::string name;  // of the header or cookie
  bool operator==(const Hash&) const = default;
};

enum class CookieSecure : uint8_t { Auto, Yes, No };  // Auto: if the client came over TLS
enum class SameSite : uint8_t { Lax, Strict, None };

// A cookie that brings a client back to the server that served it first.
struct Sticky {
  std::string cookie;               // its name; "" (off)
  std::optional<Duration> max_age;  // none: until the browser ends its session
  std::string path = "/";
  CookieSecure secure = CookieSecure::Auto;
  bool http_only = true;
  SameSite same_site = SameSite::Lax;
  bool operator==(const Sticky&) const = default;
};

enum class Reuse : uint8_t { Lifo, Fifo };

// Limits of the connections to one server, over all workers.
struct Pool {
  uint32_t max_connections = 128;
  uint32_t max_idle = 32;
  uint32_t min_idle = 0;                      // opened ahead of need
  std::optional<Duration> keepalive_timeout;  // none: auto, learned from the server
  uint32_t keepalive_requests = 1000;
  Duration keepalive_time = 1h;
  Reuse reuse = Reuse::Lifo;
  uint32_t queue_size = 1024;  // of the whole upstream
  Duration queue_timeout = 3s;
  bool wait_while_down = true;   // requests wait for servers that cannot be reached just now
  Duration close_timeout = 10s;  // for the server to let go of a connection that Berth closes
  // While others wait, one whose client moves nothing for so long is ended; none: off.
  std::optional<Duration> rest_timeout = 1s;
  uint32_t max_upgraded = 1024;  // upgraded (WebSocket) connections, not counted in max_connections
  bool operator==(const Pool&) const = default;
};

enum class RetryNonIdempotent : uint8_t { Never, FinProved };

struct Retry {
  uint32_t attempts = 3;         // servers tried for one request, the first included
  uint32_t budget_percent = 20;  // of the requests
  uint32_t budget_min = 3;       // at the same time, whatever the percentage
  RetryNonIdempotent non_idempotent = RetryNonIdempotent::Never;
  bool operator==(const Retry&) const = default;
};

struct Server {
  Endpoint address;     // "127.0.0.1:3000", "[::1]:3000", "unix:/run/app.sock"
  uint32_t weight = 1;  // its share of the work, against those of the others
  bool backup = false;  // serves only while no other server may
  bool operator==(const Server&) const = default;
};

// What a server is told about the client before anything else.
enum class ProxyProtocol : uint8_t { Off, V1, V2 };

// When a connection is taken for a request whose body is still coming. Inherit: as the upstream has
// it (a route's only).
enum class RequestBody : uint8_t { Inherit, Auto, Stream, Spool };

struct Upstream {
  std::string name;
  std::vector<Server> servers;
  Balance balance = Balance::LeastRequests;
  Hash hash;
  Sticky sticky;
  std::optional<Duration>
      slow_start;  // in which a server that comes gets its full share; none: off
  Pool pool;
  Retry retry;
  Ejection ejection;
  HealthCheck health;
  Duration connect_timeout = 2s;
  Duration response_timeout = 60s;  // from the end of the request to the response head
  // Between two reads of a response body, or two writes of a request body.
  Duration idle_timeout = 60s;
  Duration upgrade_timeout = 1h;  // an upgraded connection without traffic
  RequestBody request_body = RequestBody::Auto;
  uint64_t request_buffer = 64 * kKiB;
  uint64_t response_buffer = 256 * kKiB;
  uint64_t max_response_head = 64 * kKiB;
  uint32_t max_fields = 1000;  // of a response's head
  TcpKeepalive tcp_keepalive;
  UpstreamTls tls;
  ProxyProtocol proxy_protocol = ProxyProtocol::Off;
  bool operator==(const Upstream&) const = default;
};

}  // namespace berth::config
