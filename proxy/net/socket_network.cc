#include "proxy/net/socket_network.h"

#include "proxy/net/socket_transport.h"

namespace berth::net {

Result<std::unique_ptr<Transport>, CloseReason> SocketNetwork::connect(
    const Address& to, const ConnectOptions& options, TransportHandler& handler) {
  std::unique_ptr<Dial> dial;
  if (options.other != nullptr) {
    dial = std::make_unique<Dial>(to, *options.other, options.keepalive);
  }
  auto fd = dial ? dial->next(CloseReason::None) : begin_connect(to, options.keepalive);
  if (!fd) return Failure{fd.error()};
  auto transport = std::make_unique<SocketTransport>(std::move(*fd), std::move(dial));
  transport->send_first(options.first_bytes);
  if (!transport->attach(loop_, handler)) return Failure{CloseReason::NoLocalResources};
  if (options.tls == nullptr) return std::unique_ptr<Transport>(std::move(transport));
  auto secured = options.tls->connect(std::move(transport), handler);
  if (secured == nullptr) return Failure{CloseReason::NoLocalResources};
  return secured;
}

bool SocketNetwork::attach(Transport& transport, TransportHandler& handler) {
  transport.hand_to(handler);
  return static_cast<SocketTransport&>(transport.lowest()).attach_again(loop_);
}

}  // namespace berth::net
