// What turns a connection to a server into a TLS one.
#pragma once

#include <memory>

#include "proxy/net/transport.h"

namespace berth::net {

// One for each server, shared by the workers. Thread: any.
class TlsConnector {
 public:
  virtual ~TlsConnector() = default;
  // Takes over a transport that is attached and connecting, and reports to `handler` from then on.
  // The handshake goes on in finish_connect(). nullptr: out of memory; `lower` is closed then.
  virtual std::unique_ptr<Transport> connect(std::unique_ptr<Transport> lower,
                                             TransportHandler& handler) const = 0;
};

}  // namespace berth::net
