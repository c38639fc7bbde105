// One listener in one worker: accepts, and owns the client connections that it has accepted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/base/intrusive_list.h"
#include "proxy/client/client_connection.h"
#include "proxy/config/config.h"
#include "proxy/exchange/context.h"
#include "proxy/net/address.h"
#include "proxy/stats/stats.h"

namespace berth::client {

// Connections of one listener over all workers.
struct ConnectionCount {
  std::atomic<uint32_t> open{0};
};

// Thread: its worker's.
class ClientListener {
 public:
  ClientListener(exchange::Context& context, std::shared_ptr<const config::Listener> settings,
                 std::shared_ptr<ConnectionCount> count,
                 std::shared_ptr<stats::ListenerStats> stats);
  ClientListener(const ClientListener&) = delete;
  ClientListener& operator=(const ClientListener&) = delete;
  // Closes what is left, with Shutdown.
  ~ClientListener();

  // A new client. `attach` makes the transport and lets it report to the handler that it is given;
  // nullptr if that fails. Refused (closed) when max_connections is reached and no idle connection
  // can be closed for it.
  template <class Attach>
  void accept(const net::Address& peer, Attach&& attach) {
    ClientConnection* connection = admit(peer);
    if (connection == nullptr) return;
    if (std::unique_ptr<net::Transport> transport = attach(connection->handler())) {
      connection->open(std::move(transport));
    } else {
      connection->close(CloseReason::NoLocalResources);
    }
  }

  // A client that has turned out to speak HTTP/2. `received`: what has come from it already.
  void continue_as_http2(const Connection& from, std::unique_ptr<net::Transport> transport,
                         std::string_view received);

  // Closes the connections that have been idle for longest; returns how many there were (at most
  // `most`).
  size_t evict_idle(size_t most);
  // From now on: idle connections are closed, the others after their last response.
  void drain();
  bool draining() const { return draining_; }
  bool empty() const { return open_ == 0; }
  void apply(std::shared_ptr<const config::Listener> settings);

  const config::Listener& settings() const { return *settings_; }
  stats::ListenerStats& stats() { return *stats_; }
  exchange::Context& context() { return context_; }
  net::WorkerEnv& env() { return context_.env; }
  // "Connection: keep-alive" with the advertised timeout, one second below the real one.
  std::string_view keep_alive_fields() const { return keep_alive_fields_; }

  // --- For its connections: moves gauges, relinks.
  void on_state(Connection& connection, ClientState before, ClientState after);
  void on_closed(Connection& connection, ClientState before, CloseReason reason, Duration age,
                 uint32_t requests);
  void on_replaced(Connection& connection, ClientState before);

 private:
  using List = IntrusiveList<Connection, ClientTag>;
  ClientConnection* admit(const net::Address& peer);
  void link(Connection& connection, ClientState state, int by);

  exchange::Context& context_;
  std::shared_ptr<const config::Listener> settings_;
  std::shared_ptr<ConnectionCount> count_;
  std::shared_ptr<stats::ListenerStats> stats_;
  std::string keep_alive_fields_;
  List idle_;  // longest idle first
  List others_;
  uint32_t open_ = 0;
  bool draining_ = false;
};

}  // namespace berth::client
