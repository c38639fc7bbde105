// The client side: where connections are accepted, and what clients may do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/config/address_syntax.h"
#include "proxy/config/sizes.h"
#include "proxy/config/tcp_keepalive.h"
#include "proxy/config/tls.h"

namespace berth::config {

enum class HalfClose : uint8_t { Serve, Abort };

// HTTP/2 for clients.
struct Http2 {
  bool enabled = true;     // over TLS, where the client asks for it (ALPN)
  bool cleartext = false;  // without TLS too, for clients that know beforehand ("prior knowledge")
  uint32_t max_streams = 100;
  bool operator==(const Http2&) const = default;
};

// PROXY protocol of those in front.
struct ProxyProtocolFrom {
  std::vector<std::string> from;  // addresses and CIDR blocks that must send a header; none: off
  bool operator==(const ProxyProtocolFrom&) const = default;
};

struct Listener {
  std::string name;  // label in metrics; the address unless given
  // "0.0.0.0:8080", "[::]:8080", ":8080" (both families), "unix:/run/berth.sock"
  Endpoint address;
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
  uint32_t max_fields = 128;     // of a request's head
  uint64_t max_body = 1 * kGiB;  // 0: no limit
  uint32_t max_connections = 0;  // over all workers; 0: as many as file descriptors allow
  uint32_t backlog = 4096;
  HalfClose half_close = HalfClose::Abort;  // a client that has shut down its sending side
  uint32_t unix_mode = 0660;                // permissions of a Unix socket
  TcpKeepalive tcp_keepalive;
  Http2 http2;
  ListenerTls tls;
  uint32_t redirect_to_https = 0;  // every request is answered with a redirect to this port; 0: off
  Hsts hsts;
  ProxyProtocolFrom proxy_protocol;
  bool operator==(const Listener&) const = default;
};

}  // namespace berth::config
