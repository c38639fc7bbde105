// The configuration as plain data: what the YAML file says, with defaults filled in. Immutable once
// loaded. Keys are named as in the file; conf/berth.yaml explains each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/time.h"
#include "proxy/config/health.h"
#include "proxy/config/resolver.h"

namespace berth::config {

using namespace std::chrono_literals;

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// TCP keep-alive (SO_KEEPALIVE), a setting of its own on both sides.
struct TcpKeepalive {
  bool enabled = true;
  Duration idle = 60s;
  Duration interval = 10s;
  uint32_t count = 6;
  bool operator==(const TcpKeepalive&) const = default;
};

enum class HalfClose : uint8_t { Serve, Abort };

// HTTP/2 for clients.
struct Http2 {
  bool enabled = true;     // over TLS, where the client asks for it (ALPN)
  bool cleartext = false;  // without TLS too, for clients that know beforehand ("prior knowledge")
  uint32_t max_streams = 100;
  bool operator==(const Http2&) const = default;
};

enum class TlsVersion : uint8_t { Tls12, Tls13 };
enum class ClientCertificate : uint8_t { None, Optional, Required };

// PEM files.
struct Certificate {
  std::string certificate;  // with the chain behind it
  std::string key;
  bool operator==(const Certificate&) const = default;
};

// Mozilla's "intermediate" list, without the finite-field ones. TLS 1.3 has its own.
inline constexpr char kTls12Ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// TLS for clients.
struct ListenerTls {
  bool enabled = false;
  std::vector<Certificate> certificates;  // the first one is for names that none is for
  TlsVersion min_version = TlsVersion::Tls12;
  std::string ciphers = kTls12Ciphers;  // of TLS 1.2
  bool session_tickets = true;
  ClientCertificate client_certificate = ClientCertificate::None;
  std::string client_ca;  // PEM file: who may have issued client certificates
  std::string client_subject_header = "X-Client-Subject";
  bool operator==(const ListenerTls&) const = default;
};

// Strict-Transport-Security (RFC 6797), on responses over TLS.
struct Hsts {
  bool enabled = false;
  Duration max_age = 24h * 365;
  bool include_subdomains = false;
  bool preload = false;
  bool operator==(const Hsts&) const = default;
};

// PROXY protocol of those in front.
struct ProxyProtocolFrom {
  std::vector<std::string> from;  // addresses and CIDR blocks that must send a header; none: off
  bool operator==(const ProxyProtocolFrom&) const = default;
};

struct Listener {
  std::string name;  // label in metrics; the address unless given
  // "0.0.0.0:8080", "[::]:8080", ":8080" (both families), "unix:/run/berth.sock"
  std::string address;
  Duration keepalive_timeout = 75s;
  uint32_t keepalive_requests = 1000;
  Duration keepalive_time = 1h;
  Duration handshake_timeout = 10s;  // from accept to the end of the TLS handshake
  Duration header_timeout = 10s;
  Duration body_timeout = 30s;  // between two reads of a request body
  Duration send_timeout = 30s;  // in which the client takes no byte of its response
  // Bytes a second, averaged over the timeout; only while the request holds one of a server's
  // connections. 0: off.
  uint64_t min_body_rate = 240;
  uint64_t min_send_rate = 240;
  uint64_t max_head = 32 * kKiB;
  uint64_t max_target = 8 * kKiB;
  uint64_t max_body = 1 * kGiB;  // 0: no limit
  uint32_t max_connections = 0;  // over all workers; 0: as many as file descriptors allow
  uint32_t backlog = 4096;
  HalfClose half_close = HalfClose::Serve;  // a client that has shut down its sending side
  uint32_t unix_mode = 0660;                // permissions of a Unix socket
  TcpKeepalive tcp_keepalive;
  Http2 http2;
  ListenerTls tls;
  uint32_t redirect_to_https = 0;  // every request is answered with a redirect to this port; 0: off
  Hsts hsts;
  ProxyProtocolFrom proxy_protocol;
  bool operator==(const Listener&) const = default;
};

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
  Duration queue_timeout = 2s;
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
  std::string address;  // "127.0.0.1:3000", "[::1]:3000", "unix:/run/app.sock"
  uint32_t weight = 1;  // its share of the work, against those of the others
  bool backup = false;  // serves only while no other server may
  bool operator==(const Server&) const = default;
};

// TLS to the servers.
struct UpstreamTls {
  bool enabled = false;
  bool verify = true;
  std::string ca;           // PEM file; "": the system's authorities
  std::string server_name;  // "": the host name of the server's address
  std::string certificate;  // PEM files, for servers that ask for one
  std::string key;
  bool operator==(const UpstreamTls&) const = default;
};

// What a server is told about the client before anything else.
enum class ProxyProtocol : uint8_t { Off, V1, V2 };

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
  uint64_t request_buffer = 64 * kKiB;
  uint64_t response_buffer = 256 * kKiB;
  uint64_t max_response_head = 64 * kKiB;
  TcpKeepalive tcp_keepalive;
  UpstreamTls tls;
  ProxyProtocol proxy_protocol = ProxyProtocol::Off;
  bool operator==(const Upstream&) const = default;
};

struct HeaderRules {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> remove;
  bool operator==(const HeaderRules&) const = default;
};

struct Route {
  std::string host = "*";  // exact, "*.suffix" or "*"
  std::string path = "/";  // prefix, by whole segments
  std::string upstream;
  HeaderRules request_headers;
  HeaderRules response_headers;
  bool operator==(const Route&) const = default;
};

// What is told to the servers about the client.
struct Forwarding {
  // Addresses and CIDR blocks whose X-Forwarded-* are kept.
  std::vector<std::string> trusted_proxies;
  bool forwarded = false;  // send Forwarded (RFC 7239) too
  bool request_id = true;  // X-Request-Id
  bool operator==(const Forwarding&) const = default;
};

struct Admin {
  std::string address = "127.0.0.1:9145";  // "" (off)
  std::vector<std::string> hosts;  // names under which commands and /config may be asked for
  bool operator==(const Admin&) const = default;
};

enum class LogFormat : uint8_t { Json, Combined };

struct AccessLog {
  bool enabled = true;
  std::string path = "-";  // "-": standard output
  LogFormat format = LogFormat::Json;
  bool operator==(const AccessLog&) const = default;
};

struct Shutdown {
  Duration grace = 30s;
  bool operator==(const Shutdown&) const = default;
};

struct Config {
  uint32_t workers = 0;                 // 0: auto, one per core
  uint64_t memory_budget = 256 * kMiB;  // for buffered bodies, whole process
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;
  std::vector<Route> routes;
  Forwarding forwarding;
  Admin admin;
  AccessLog access_log;
  Resolver resolver;
  Shutdown shutdown;
  bool operator==(const Config&) const = default;
};

}  // namespace berth::config
