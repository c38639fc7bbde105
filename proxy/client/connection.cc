#include "proxy/client/connection.h"

#include "proxy/client/client_listener.h"

namespace berth::client {

Connection::Connection(ClientListener& listener, const net::Address& peer, TimePoint opened,
                       ClientState first)
    : listener_(listener), peer_(peer), opened_(opened), state_(first) {
  listener_.on_state(*this, ClientState::Closed, first);
}

void Connection::move_to(ClientState next) {
  const ClientState before = state_;
  state_ = next;
  listener_.on_state(*this, before, next);
}

void Connection::end(CloseReason reason) {
  const ClientState before = state_;
  state_ = ClientState::Closed;
  listener_.on_closed(*this, before, reason, listener_.env().now() - opened_, requests_);
}

void Connection::end_replaced() {
  const ClientState before = state_;
  state_ = ClientState::Closed;
  listener_.on_replaced(*this, before);
}

}  // namespace berth::client
