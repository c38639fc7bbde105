#include "proxy/server/socket_port.h"

#include "proxy/net/socket_options.h"
#include "proxy/net/socket_transport.h"

namespace berth::server {

namespace {
// Closed at a time when file descriptors run short.
constexpr size_t kEvictAtOnce = 16;
// Of accepting, before a listener goes: more than any queue of the kernel is long, but not for
// ever.
constexpr int kLastRounds = 64;
}  // namespace

SocketPort::SocketPort(event::Loop& loop, UniqueFd fd, Eviction& eviction,
                       std::unique_ptr<client::ClientListener> clients)
    : Port(std::move(clients)),
      loop_(loop),
      eviction_(eviction),
      listener_(std::make_unique<net::Listener>(loop, std::move(fd), *this)) {}

void SocketPort::apply(const std::shared_ptr<const config::Listener>& settings,
                       client::TlsAcceptorPtr tls) {
  if (listener_ != nullptr && settings->backlog != clients().settings().backlog) {
    listener_->set_backlog(settings->backlog);
  }
  clients().apply(settings, std::move(tls));
}

void SocketPort::stop_accepting() {
  if (listener_ == nullptr) return;
  for (int round = 0; round < kLastRounds && listener_->accept_all(); ++round) {
  }
  listener_.reset();
}

void SocketPort::on_accept(UniqueFd fd, const net::Address& peer) {
  if (peer.kind() != net::AddressKind::Unix) {
    net::set_tcp_options(fd.get(), clients().settings().tcp_keepalive);
  }
  clients().accept(peer.unmapped(), [&](net::TransportHandler& handler) {
    auto transport = std::make_unique<net::SocketTransport>(std::move(fd));
    if (!transport->attach(loop_, handler)) transport.reset();
    return transport;
  });
}

bool SocketPort::on_accept_starved(int) {
  return eviction_.evict_idle(kEvictAtOnce) > 0;
}

}  // namespace berth::server
