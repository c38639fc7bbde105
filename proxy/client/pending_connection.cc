#include "proxy/client/pending_connection.h"

#include "proxy/client/client_connection.h"
#include "proxy/client/client_listener.h"
#include "proxy/net/proxy_header.h"

namespace berth::client {

PendingConnection::PendingConnection(ClientListener& listener, const net::Address& peer,
                                     bool expects_header)
    : Connection(listener, peer, Birth{listener.env().now(), listener.env().new_connection()},
                 ClientState::Handshake),
      timer_(*this),
      client_(peer),
      stage_(expects_header ? Stage::ProxyHeader : Stage::Handshake) {
  listener.env().runtime.arm(timer_, listener.settings().handshake_timeout);
}

void PendingConnection::open(std::unique_ptr<net::Transport> transport) {
  transport_ = std::move(transport);
  transport_->charge_to(this);
  if (stage_ == Stage::Handshake) secure();
}

void PendingConnection::on_ready(net::Ready ready) {
  if (state() == ClientState::Closed) return;
  fin_seen_ = fin_seen_ || ready.peer_closed;
  switch (stage_) {
    case Stage::ProxyHeader:
      if (ready.readable) read_header();
      return;
    case Stage::Handshake:
      shake_hands();
      return;
  }
}

void PendingConnection::on_timer(event::Timer&) {
  fail(CloseReason::HandshakeTimeout);
}

void PendingConnection::drain() {
  listener_.env().runtime.arm(timer_, kFirstRequestWithin);
}

void PendingConnection::on_new_limits(const config::Listener& before) {
  if (listener_.draining()) return;
  listener_.env().runtime.timers.shift(
      timer_, listener_.settings().handshake_timeout - before.handshake_timeout);
}

// The header's bytes and no others are taken from the transport: what follows is for TLS or HTTP.
void PendingConnection::read_header() {
  net::Scratch& scratch = listener_.env().scratch;
  const net::IoResult seen = transport_->peek(scratch.data(), net::kMaxProxyHeader);
  if (seen.status == net::IoStatus::Again) return;
  if (seen.status != net::IoStatus::Ok) {
    // Whoever only looks whether the port is open says nothing.
    close(CloseReason::PeerClosed);
    return;
  }
  const net::ProxyHeader header = net::parse_proxy_header({scratch.data(), seen.bytes});
  switch (header.status) {
    case net::ProxyHeader::Status::Incomplete:
      if (fin_seen_ || seen.bytes == net::kMaxProxyHeader) fail(CloseReason::BadProxyHeader);
      return;
    case net::ProxyHeader::Status::Malformed:
      fail(CloseReason::BadProxyHeader);
      return;
    case net::ProxyHeader::Status::Complete:
      break;
  }
  transport_->read(scratch.data(), header.size);
  if (header.source.kind() != net::AddressKind::None) client_ = header.source.unmapped();
  stage_ = Stage::Handshake;
  if (listener_.tls() == nullptr) {
    go_on();
    return;
  }
  secure();
  if (state() != ClientState::Closed) shake_hands();  // what follows may be here already
}

void PendingConnection::secure() {
  net::TransportHandler& handler = *this;
  transport_ = listener_.tls()->accept(std::move(transport_), handler);
  if (transport_ == nullptr) {
    fail(CloseReason::NoLocalResources);
  } else {
    transport_->charge_to(this);
  }
}

void PendingConnection::shake_hands() {
  const auto result = transport_->finish_connect();
  switch (result.status) {
    case net::IoStatus::Again:
      return;
    case net::IoStatus::Ok:
      listener_.on_secured(*transport_->security());
      go_on();
      return;
    case net::IoStatus::Eof:
    case net::IoStatus::Reset:
      fail(HandshakeFailure::of(result.reason));
      return;
  }
}

void PendingConnection::fail(HandshakeFailure reason) {
  listener_.stats().handshake_failures[reason].add();
  if (reason == CloseReason::PlainHttpToTls) {
    listener_.env().runtime.cancel(timer_);
    listener_.refuse(std::move(transport_), client_, birth(), Refusal::of(reason));
    end_replaced();
    return;
  }
  close(ClientClose::of(reason));
}

// What has come already is not reported again.
void PendingConnection::go_on() {
  listener_.env().runtime.cancel(timer_);
  listener_.begin(std::move(transport_), client_, birth(), fin_seen_);
  end_replaced();
}

void PendingConnection::close(ClientClose reason) noexcept {
  if (state() == ClientState::Closed) return;
  listener_.env().runtime.cancel(timer_);
  transport_.reset();
  end(reason);
}

}  // namespace berth::client
