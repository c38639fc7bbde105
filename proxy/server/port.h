// One listener of one worker on the kernel's sockets: accepts, and makes client connections of what
// it gets.
#pragma once

#include <cstddef>
#include <memory>

#include "proxy/client/client_listener.h"
#include "proxy/net/listener.h"

namespace berth::server {

// Makes room when file descriptors run short.
class Eviction {
 public:
  // Closes up to `most` of the longest-idle client connections; returns how many.
  virtual size_t evict_idle(size_t most) = 0;

 protected:
  ~Eviction() = default;
};

// Thread: its worker's.
class Port final : public net::AcceptHandler {
 public:
  Port(event::Loop& loop, UniqueFd fd, Eviction& eviction,
       std::unique_ptr<client::ClientListener> clients);

  // Other settings for the socket and for the connections that are there.
  void apply(const std::shared_ptr<const config::Listener>& settings, client::TlsAcceptorPtr tls);
  client::ClientListener& clients() { return *clients_; }
  // No more accepts: what the kernel has queued is accepted first, so that nobody's connection is
  // reset.
  void stop_accepting();

 private:
  void on_accept(UniqueFd fd, const net::Address& peer) override;
  bool on_accept_starved(int error) override;

  event::Loop& loop_;
  Eviction& eviction_;
  std::unique_ptr<client::ClientListener> clients_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace berth::server
