#include "proxy/client/client_listener.h"

#include <utility>

#include "proxy/base/count.h"
#include "proxy/client/http2_connection.h"

namespace berth::client {

namespace {

stats::ClientState gauge_of(ClientState state) {
  switch (state) {
    case ClientState::Idle:
      return stats::ClientState::Idle;
    case ClientState::Reading:
      return stats::ClientState::Reading;
    case ClientState::Active:
      return stats::ClientState::Active;
    case ClientState::Upgraded:
      return stats::ClientState::Upgraded;
    case ClientState::Handshake:
      return stats::ClientState::Handshake;
    case ClientState::Writing:
    case ClientState::Lingering:
    case ClientState::Closed:
      return stats::ClientState::Writing;
  }
  return stats::ClientState::Writing;
}

// RFC 6797 section 6.1.
std::string hsts_value(const config::Hsts& hsts) {
  if (!hsts.enabled) return {};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(hsts.max_age).count();
  return "max-age=" + std::to_string(seconds) +
         (hsts.include_subdomains ? "; includeSubDomains" : "") + (hsts.preload ? "; preload" : "");
}

}  // namespace

ClientListener::ClientListener(exchange::Context& context,
                               std::shared_ptr<const config::Listener> settings,
                               std::shared_ptr<ConnectionCount> count,
                               std::shared_ptr<stats::ListenerStats> stats, TlsAcceptorPtr tls)
    : context_(context), count_(std::move(count)), stats_(std::move(stats)) {
  apply(std::move(settings), std::move(tls));
}

ClientListener::~ClientListener() {
  const auto close = [](Connection& c) { c.close(CloseReason::Shutdown); };
  idle_.for_each(close);
  others_.for_each(close);
  env().runtime.turn.run();
}

void ClientListener::apply(std::shared_ptr<const config::Listener> settings, TlsAcceptorPtr tls) {
  const std::shared_ptr<const config::Listener> before =
      std::exchange(settings_, std::move(settings));
  tls_ = std::move(tls);
  proxies_ = exchange::TrustedProxies(settings_->proxy_protocol.from);
  hsts_ = hsts_value(settings_->hsts);
  // Clients stop using the connection a second before it closes: then they never race it.
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(settings_->keepalive_timeout).count() - 1;
  keep_alive_fields_ = "Connection: keep-alive\r\n";
  if (seconds > 0) keep_alive_fields_ += "Keep-Alive: timeout=" + std::to_string(seconds) + "\r\n";
  if (before != nullptr && *before != *settings_) reach_connections(*before);
}

void ClientListener::reach_connections(const config::Listener& before) {
  const auto reach = [&before](Connection& c) { c.on_new_limits(before); };
  idle_.for_each(reach);
  others_.for_each(reach);
  while (settings_->max_connections != 0 &&
         count_->open.load(std::memory_order_relaxed) > settings_->max_connections &&
         evict_idle(1) > 0) {
  }
}

bool ClientListener::admit() {
  stats_->connections_accepted.add();
  const uint32_t open = count_->open.fetch_add(1, std::memory_order_relaxed) + 1;
  const uint32_t most = settings_->max_connections;
  if (most != 0 && open > most && evict_idle(1) == 0) {
    drop_one(count_->open, std::memory_order_relaxed);
    stats_->connections_closed[CloseReason::ConnectionLimit].add();
    return false;
  }
  ++open_;
  return true;
}

void ClientListener::begin(std::unique_ptr<net::Transport> transport, const net::Address& peer,
                           const Birth& birth, bool fin_seen) {
  const net::Security* security = transport->security();
  const auto protocol = security != nullptr ? security->protocol : net::Security::Protocol::Http1;
  // What has come already is not reported again.
  const net::Ready here{.readable = true, .writable = false, .peer_closed = fin_seen};
  switch (protocol) {
    case net::Security::Protocol::Http1: {
      auto& connection = make<ClientConnection>(peer, birth);
      transport->hand_to(connection.handler());
      connection.open(std::move(transport));
      connection.handler().on_ready(here);
      if (draining() && connection.state() == ClientState::Idle) connection.drain();
      return;
    }
    case net::Security::Protocol::Http2: {
      auto& connection = make<Http2Connection>(peer, birth, true);
      transport->hand_to(connection.handler());
      connection.open(std::move(transport), {});
      connection.handler().on_ready(here);
      if (draining() && connection.state() != ClientState::Closed) connection.drain();
      return;
    }
  }
}

void ClientListener::refuse(std::unique_ptr<net::Transport> transport, const net::Address& peer,
                            const Birth& birth, Refusal reason) {
  auto& connection = make<ClientConnection>(peer, birth);
  transport->hand_to(connection.handler());
  connection.open(std::move(transport));
  connection.refuse_all(reason);
}

void ClientListener::on_secured(const net::Security& security) {
  const auto version = static_cast<stats::TlsVersion>(security.version);
  stats_
      ->tls_handshakes[version]
                      [security.resumed ? stats::Handshake::Resumed : stats::Handshake::Full]
      .add();
}

void ClientListener::continue_as_http2(const Connection& from,
                                       std::unique_ptr<net::Transport> transport,
                                       std::string_view received, bool fin_seen) {
  auto& next = make<Http2Connection>(from.peer(), from.birth(), transport->security() != nullptr);
  transport->hand_to(next.handler());
  next.open(std::move(transport), received);
  next.handler().on_ready({.readable = true, .writable = false, .peer_closed = fin_seen});
  if (draining() && next.state() != ClientState::Closed) next.drain();
}

size_t ClientListener::evict_idle(size_t most) {
  size_t closed = 0;
  for (; closed < most; ++closed) {
    // Not one that has its next request here already.
    Connection* idle = idle_.find_if([](const Connection& c) { return !c.has_input(); });
    if (idle == nullptr) break;
    idle->close(CloseReason::Evicted);
  }
  return closed;
}

void ClientListener::announce_end() {
  if (ending()) return;
  end_ = End::Announced;
  const auto announce = [](Connection& c) { c.announce_end(); };
  idle_.for_each(announce);
  others_.for_each(announce);
}

void ClientListener::drain() {
  end_ = End::Draining;
  const auto drain = [](Connection& c) { c.drain(); };
  idle_.for_each(drain);
  others_.for_each(drain);
}

void ClientListener::put(std::unique_ptr<Connection> connection) {
  const ClientState state = connection->state();
  stats_->connections[gauge_of(state)].add();
  list_of(state).adopt(std::move(connection));
}

std::unique_ptr<Connection> ClientListener::take(Connection& connection, ClientState state) {
  stats_->connections[gauge_of(state)].sub();
  return list_of(state).extract(connection);
}

void ClientListener::on_state(Connection& connection, ClientState before) {
  put(take(connection, before));
}

void ClientListener::on_closed(Connection& connection, ClientState before, ClientClose reason,
                               Duration age, uint32_t requests) {
  move_count(open_, -1);
  drop_one(count_->open, std::memory_order_relaxed);
  stats_->connections_closed[reason].add();
  stats_->requests_per_connection.observe(requests);
  stats_->connection_age.observe(stats::as_millis(age));
  env().runtime.turn.dispose(take(connection, before));
}

// Its successor has taken the place in open_ and in count_ over.
void ClientListener::on_replaced(Connection& connection, ClientState before) {
  env().runtime.turn.dispose(take(connection, before));
}

}  // namespace berth::client
