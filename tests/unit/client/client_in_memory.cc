#include "tests/unit/client/client_in_memory.h"

namespace berth::client {

ClientListener& ClientInMemory::listener() {
  if (!listener_) {
    if (servers.empty()) apply();
    context.access_log = &log;
    listener_ =
        std::make_unique<ClientListener>(context, std::make_shared<config::Listener>(settings_),
                                         std::make_shared<ConnectionCount>(), stats_);
  }
  return *listener_;
}

void ClientInMemory::connect(std::string_view bytes) {
  client_ = sides_.emplace_back(std::make_unique<Side>()).get();
  listener().accept(*net::Address::parse("192.0.2.7:50000"), [&](net::TransportHandler& handler) {
    client_->handler = &handler;
    return std::make_unique<net::FakeTransport>(*client_);
  });
  send(bytes);
}

void ClientInMemory::send(std::string_view bytes) {
  send_in_this_turn(bytes);
  end_turn();
}

void ClientInMemory::send_in_this_turn(std::string_view bytes) {
  client_->to_read += bytes;
  if (!client_->closed) client_->handler->on_ready({.readable = true});
}

void ClientInMemory::say_in_this_turn(size_t which, std::string_view bytes) {
  server(which).to_read += bytes;
  server(which).handler->on_ready({.readable = true});
}

void ClientInMemory::shut_down_sending() {
  client_->fin = true;
  client_ready({.readable = true, .peer_closed = true});
}

void ClientInMemory::client_ready(net::Ready what) {
  if (!client_->closed) client_->handler->on_ready(what);
  end_turn();
}

void ClientInMemory::take(size_t bytes) {
  client_->room = bytes;
  client_ready({.writable = true});
}

}  // namespace berth::client
