// A client before its first request: its PROXY header, if the peer is to send one, then its TLS
// handshake. Then the connection of the protocol that was agreed on takes its place.
#pragma once

#include <memory>

#include "proxy/client/connection.h"
#include "proxy/event/timer_queue.h"
#include "proxy/net/transport.h"

namespace berth::client {

// Owned by its ClientListener. Thread: its worker's.
class PendingConnection final : public Connection,
                                private net::TransportHandler,
                                private event::TimerHandler {
 public:
  PendingConnection(ClientListener& listener, const net::Address& peer, bool expects_header);

  // Takes the transport, which reports to handler() from now on.
  void open(std::unique_ptr<net::Transport> transport);
  net::TransportHandler& handler() { return *this; }

  bool has_input() const override { return false; }
  void close(ClientClose reason) noexcept override;
  // A client that came just before the listener goes is given a moment for its request.
  void drain() override;
  void on_new_limits(const config::Listener& before) override;

 private:
  enum class Stage : uint8_t { ProxyHeader, Handshake };

  void on_ready(net::Ready ready) override;
  void on_timer(event::Timer& timer) override;
  // net::MemoryAccount
  size_t memory_credit() const override { return 0; }
  bool keeps_others_waiting() override { return false; }
  void end_largest() override { close(CloseReason::MemoryShort); }
  void on_memory() override {}
  void read_header();
  void secure();
  void shake_hands();
  void fail(HandshakeFailure reason);
  void go_on();

  std::unique_ptr<net::Transport> transport_;
  event::Timer timer_;
  net::Address client_;  // the peer, or who the peer says that it speaks for
  Stage stage_;
  bool fin_seen_ = false;
};

}  // namespace berth::client
