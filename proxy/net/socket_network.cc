#include "proxy/net/socket_network.h"

#include <sys/socket.h>

#include <cerrno>

#include "proxy/net/connect_error.h"
#include "proxy/net/socket_options.h"
#include "proxy/net/socket_transport.h"

namespace berth::net {

Result<std::unique_ptr<Transport>, CloseReason> SocketNetwork::connect(
    const Address& to, const ConnectOptions& options, TransportHandler& handler) {
  UniqueFd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return Failure{reason_for_connect_error(errno)};
  if (to.kind() != AddressKind::Unix) set_tcp_options(fd.get(), options.keepalive);
  sockaddr_storage address;
  const socklen_t length = to.to_sockaddr(address);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
      errno != EINPROGRESS) {
    return Failure{reason_for_connect_error(errno)};
  }
  auto transport = std::make_unique<SocketTransport>(std::move(fd));
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
