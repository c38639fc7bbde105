// A port on a socket of the kernel: accepts, and makes client connections.
#pragma once

#include <memory>

#include "proxy/net/listener.h"
#include "proxy/server/port.h"

namespace berth::server {

// Thread: its worker's.
class SocketPort final : public Port, public net::AcceptHandler {
 public:
  SocketPort(event::Loop& loop, UniqueFd fd, Eviction& eviction,
             std::unique_ptr<client::ClientListener> clients);

  void apply(const std::shared_ptr<const config::Listener>& settings,
             client::TlsAcceptorPtr tls) override;
  void stop_accepting() override;

 private:
  void on_accept(UniqueFd fd, const net::Address& peer) override;
  bool on_accept_starved(int error) override;

  event::Loop& loop_;
  Eviction& eviction_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace berth::server
