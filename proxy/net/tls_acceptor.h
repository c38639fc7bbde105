// What turns an accepted connection into a TLS one: OpenSSL's (TlsServer), or the simulator's.
#pragma once

#include <memory>

#include "proxy/net/transport.h"

namespace berth::net {

// Shared by the workers, immutable. Thread: any.
class TlsAcceptor {
 public:
  virtual ~TlsAcceptor() = default;
  // Takes over an attached transport and reports to `handler` from then on. The handshake goes on
  // in finish_connect(). nullptr: out of memory; `lower` is closed then.
  virtual std::unique_ptr<Transport> accept(std::unique_ptr<Transport> lower,
                                            TransportHandler& handler) const = 0;
};

}  // namespace berth::net
