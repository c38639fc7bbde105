// Where transports come from: one per worker, the kernel's or the simulator's.
#pragma once

#include <memory>
#include <string>

#include "proxy/base/close_reason.h"
#include "proxy/base/result.h"
#include "proxy/config/config.h"
#include "proxy/net/address.h"
#include "proxy/net/dial.h"
#include "proxy/net/tls_connector.h"
#include "proxy/net/transport.h"

namespace berth::net {

// How to connect.
struct ConnectOptions {
  const config::TcpKeepalive& keepalive;
  const TlsConnector* tls = nullptr;  // nullptr: plain
  std::string first_bytes = {};       // sent before all others, TLS included (a PROXY header)
  OtherAddress* other = nullptr;      // the same server's, if it has one; outlives the transport
};

// Thread: its worker's.
class Network {
 public:
  // Starts to connect; `handler` hears of the outcome (Transport::finish_connect). Fails at once
  // where the kernel does.
  virtual Result<std::unique_ptr<Transport>, CloseReason> connect(const Address& to,
                                                                  const ConnectOptions& options,
                                                                  TransportHandler& handler) = 0;

  // Attaches a transport that was detached from another worker. False if the kernel refuses to
  // watch it.
  [[nodiscard]] virtual bool attach(Transport& transport, TransportHandler& handler) = 0;

 protected:
  ~Network() = default;
};

}  // namespace berth::net
