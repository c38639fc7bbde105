#include "proxy/client/client_listener.h"

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
    case ClientState::Writing:
    case ClientState::Lingering:
    case ClientState::Closed:
      return stats::ClientState::Writing;
  }
  return stats::ClientState::Writing;
}

}  // namespace

ClientListener::ClientListener(exchange::Context& context,
                               std::shared_ptr<const config::Listener> settings,
                               std::shared_ptr<ConnectionCount> count,
                               std::shared_ptr<stats::ListenerStats> stats)
    : context_(context), count_(std::move(count)), stats_(std::move(stats)) {
  apply(std::move(settings));
}

ClientListener::~ClientListener() {
  const auto close = [](Connection& c) { c.close(CloseReason::Shutdown); };
  idle_.for_each(close);
  others_.for_each(close);
  env().runtime.turn.run();
}

void ClientListener::apply(std::shared_ptr<const config::Listener> settings) {
  settings_ = std::move(settings);
  // Clients stop using the connection a second before it closes: then they never race it.
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(settings_->keepalive_timeout).count() - 1;
  keep_alive_fields_ = "Connection: keep-alive\r\n";
  if (seconds > 0) keep_alive_fields_ += "Keep-Alive: timeout=" + std::to_string(seconds) + "\r\n";
}

ClientConnection* ClientListener::admit(const net::Address& peer) {
  stats_->connections_accepted.add();
  const uint32_t open = count_->open.fetch_add(1, std::memory_order_relaxed) + 1;
  const uint32_t most = settings_->max_connections;
  if (most != 0 && open > most && evict_idle(1) == 0) {
    count_->open.fetch_sub(1, std::memory_order_relaxed);
    stats_->connections_closed[static_cast<size_t>(CloseReason::ConnectionLimit)].add();
    return nullptr;
  }
  ++open_;
  return new ClientConnection(*this, peer);  // owned by its list
}

void ClientListener::continue_as_http2(const Connection& from,
                                       std::unique_ptr<net::Transport> transport,
                                       std::string_view received) {
  auto* next = new Http2Connection(*this, from.peer(), from.opened(), false);  // owned by its list
  transport->detach();
  if (env().network.attach(*transport, next->handler())) {
    next->open(std::move(transport), received);
  } else {
    next->close(CloseReason::NoLocalResources);
  }
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

void ClientListener::drain() {
  draining_ = true;
  const auto drain = [](Connection& c) { c.drain(); };
  idle_.for_each(drain);
  others_.for_each(drain);
}

void ClientListener::link(Connection& connection, ClientState state, int by) {
  stats_->connections[static_cast<size_t>(gauge_of(state))].add(by);
  if (by < 0) {
    static_cast<List::Hook&>(connection).unlink();
  } else {
    (state == ClientState::Idle ? idle_ : others_).push_back(connection);
  }
}

void ClientListener::on_state(Connection& connection, ClientState before, ClientState after) {
  if (before != ClientState::Closed) link(connection, before, -1);
  link(connection, after, +1);
}

void ClientListener::on_closed(Connection& connection, ClientState before, CloseReason reason,
                               Duration age, uint32_t requests) {
  link(connection, before, -1);
  --open_;
  count_->open.fetch_sub(1, std::memory_order_relaxed);
  stats_->connections_closed[static_cast<size_t>(reason)].add();
  stats_->requests_per_connection.observe(requests);
  stats_->connection_age.observe(stats::as_millis(age));
  env().runtime.turn.dispose(std::unique_ptr<event::Disposable>(&connection));
}

// Its successor has taken the place in open_ and in count_ over.
void ClientListener::on_replaced(Connection& connection, ClientState before) {
  link(connection, before, -1);
  env().runtime.turn.dispose(std::unique_ptr<event::Disposable>(&connection));
}

}  // namespace berth::client
