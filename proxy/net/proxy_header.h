// The PROXY protocol's header, versions 1 and 2: what a load balancer says about the client before
// the client's own bytes. Bytes in, value out.
// https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/net/address.h"

namespace berth::net {

struct ProxyHeader {
  enum class Status : uint8_t { Incomplete, Complete, Malformed };
  Status status = Status::Malformed;
  size_t size = 0;  // Complete: bytes that it takes up
  // None: the peer speaks for itself (LOCAL), or for a client whose address it does not know.
  Address source;
  Address destination;
};

// A longer one (version 2 with many additions) is refused.
inline constexpr size_t kMaxProxyHeader = 4096;

// `bytes`: everything that has come, at most kMaxProxyHeader. Strict: what is not exactly a header
// is Malformed, and so is what can no longer become one.
ProxyHeader parse_proxy_header(std::string_view bytes);

// The header for a server: of the client's address and of the one that it connected to. A client
// that has no IP address is UNKNOWN (version 1) or LOCAL (version 2); a destination of another
// family than the client's becomes that family's unspecified address.
std::string write_proxy_header(config::ProxyProtocol version, const Address& source,
                               const Address& destination);

}  // namespace berth::net
