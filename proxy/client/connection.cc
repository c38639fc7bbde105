#include "proxy/client/connection.h"

#include "proxy/client/client_listener.h"

namespace berth::client {

Connection::Connection(ClientListener& listener, const net::Address& peer, const Birth& birth,
                       ClientState first)
    : net::MemoryAccount(listener.context().memory),
      listener_(listener),
      peer_(peer),
      birth_(birth),
      state_(first) {}

uint64_t Connection::memory_budget() const {
  return listener_.context().router->config().memory_budget;
}

const net::Address* Connection::counted_address() const {
  const bool one_client =
      peer_.kind() == net::AddressKind::V4 || peer_.kind() == net::AddressKind::V6;
  if (!one_client || listener_.context().router->trusted().contains(peer_)) return nullptr;
  return &peer_;
}

net::MemoryKeeper& Connection::keeper() const {
  return listener_.context().memory;
}

void Connection::move_to(ClientState next) {
  const ClientState before = state_;
  state_ = next;
  listener_.on_state(*this, before);
}

void Connection::end(ClientClose reason) {
  const ClientState before = state_;
  state_ = ClientState::Closed;
  listener_.on_closed(*this, before, reason, listener_.env().now() - birth_.opened, requests_);
}

void Connection::end_replaced() {
  const ClientState before = state_;
  state_ = ClientState::Closed;
  listener_.on_replaced(*this, before);
}

}  // namespace berth::client
