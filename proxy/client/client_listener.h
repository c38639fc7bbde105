// One listener in one worker: accepts, and owns the client connections that it has accepted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/base/owning_list.h"
#include "proxy/client/client_connection.h"
#include "proxy/client/pending_connection.h"
#include "proxy/config/config.h"
#include "proxy/exchange/context.h"
#include "proxy/exchange/trusted_proxies.h"
#include "proxy/net/address.h"
#include "proxy/net/tls_acceptor.h"
#include "proxy/stats/stats.h"

namespace berth::client {

// Connections of one listener over all workers.
struct ConnectionCount {
  std::atomic<uint32_t> open{0};
};

using TlsAcceptorPtr = std::shared_ptr<const net::TlsAcceptor>;

// Thread: its worker's.
class ClientListener {
 public:
  ClientListener(exchange::Context& context, std::shared_ptr<const config::Listener> settings,
                 std::shared_ptr<ConnectionCount> count,
                 std::shared_ptr<stats::ListenerStats> stats, TlsAcceptorPtr tls = nullptr);
  ClientListener(const ClientListener&) = delete;
  ClientListener& operator=(const ClientListener&) = delete;
  // Closes what is left, with Shutdown.
  ~ClientListener();

  // A new client. `attach` makes the transport and lets it report to the handler that it is given;
  // nullptr if that fails. Refused (closed) when max_connections is reached and no idle connection
  // can be closed for it.
  template <class Attach>
  void accept(const net::Address& peer, Attach&& attach) {
    if (!admit()) return;
    const bool expects_header = proxies_.contains(peer);
    if (tls_ != nullptr || expects_header) {
      attach_to(make<PendingConnection>(peer, expects_header), attach);
    } else {
      attach_to(make<ClientConnection>(peer, Birth{env().now(), env().new_connection()}), attach);
    }
  }

  // A client that has turned out to speak HTTP/2. `received`: what has come from it already.
  // `fin_seen`: and nothing more will.
  void continue_as_http2(const Connection& from, std::unique_ptr<net::Transport> transport,
                         std::string_view received, bool fin_seen);

  // --- For a PendingConnection, whose place the new connection takes.

  // The connection of the protocol that its client and Berth have agreed on. `fin_seen`: the client
  // has shut down its side already.
  void begin(std::unique_ptr<net::Transport> transport, const net::Address& peer,
             const Birth& birth, bool fin_seen);
  // One that answers with the reason's status, whatever comes.
  void refuse(std::unique_ptr<net::Transport> transport, const net::Address& peer,
              const Birth& birth, Refusal reason);
  // Counts a handshake.
  void on_secured(const net::Security& security);
  const net::TlsAcceptor* tls() const { return tls_.get(); }

  // Closes the connections that have been idle for longest; returns how many there were (at most
  // `most`).
  size_t evict_idle(size_t most);
  // From now on: every response says that the connection closes after it.
  void announce_end();
  // From now on: idle connections are closed, the others after their last response.
  void drain();
  bool ending() const { return end_ != End::None; }
  bool draining() const { return end_ == End::Draining; }
  bool empty() const { return open_ == 0; }
  // New limits and timeouts reach the connections that are there. `tls`: nullptr for a plain
  // listener. Handshakes under way finish with the one before.
  void apply(std::shared_ptr<const config::Listener> settings, TlsAcceptorPtr tls = nullptr);

  const config::Listener& settings() const { return *settings_; }
  stats::ListenerStats& stats() { return *stats_; }
  exchange::Context& context() { return context_; }
  net::WorkerEnv& env() { return context_.env; }
  // Of now (RFC 9110 section 6.6.1).
  std::string_view date() { return context_.date.text(env().runtime.time.wall_micros()); }
  // "Connection: keep-alive" with the advertised timeout, one second below the real one.
  std::string_view keep_alive_fields() const { return keep_alive_fields_; }
  // The value of Strict-Transport-Security for responses over TLS; "": none.
  std::string_view hsts() const { return hsts_; }

  // --- For its connections: moves gauges, relinks.
  void on_state(Connection& connection, ClientState before);
  void on_closed(Connection& connection, ClientState before, ClientClose reason, Duration age,
                 uint32_t requests);
  void on_replaced(Connection& connection, ClientState before);

 private:
  enum class End : uint8_t { None, Announced, Draining };

  using List = OwningList<Connection, ClientTag>;
  bool admit();
  void reach_connections(const config::Listener& before);
  template <class C, class Attach>
  void attach_to(C& connection, Attach&& attach) {
    if (std::unique_ptr<net::Transport> transport = attach(connection.handler())) {
      connection.open(std::move(transport));
    } else {
      connection.close(CloseReason::NoLocalResources);
    }
  }
  // Makes a connection, which this listener owns.
  template <class C, class... Arguments>
  C& make(Arguments&&... arguments) {
    auto made = std::make_unique<C>(*this, std::forward<Arguments>(arguments)...);
    C& connection = *made;
    put(std::move(made));
    return connection;
  }
  void put(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> take(Connection& connection, ClientState state);
  List& list_of(ClientState state) { return state == ClientState::Idle ? idle_ : others_; }

  exchange::Context& context_;
  std::shared_ptr<const config::Listener> settings_;
  std::shared_ptr<ConnectionCount> count_;
  std::shared_ptr<stats::ListenerStats> stats_;
  TlsAcceptorPtr tls_;
  exchange::TrustedProxies proxies_;  // those that send a PROXY header
  std::string keep_alive_fields_;
  std::string hsts_;
  List idle_;  // longest idle first
  List others_;
  uint32_t open_ = 0;
  End end_ = End::None;
};

}  // namespace berth::client
