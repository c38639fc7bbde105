// One worker's shard of the connections to one app server. Owns them in every state.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "proxy/base/owning_list.h"
#include "proxy/config/config.h"
#include "proxy/event/turn_queue.h"
#include "proxy/net/worker_env.h"
#include "proxy/stats/stats.h"
#include "proxy/upstream/drain_list.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/shared_server.h"
#include "proxy/upstream/upstream_connection.h"

namespace berth::upstream {

class Waiter;
class WorkerPools;

// What a request asks of its connection, where there is a choice.
enum class Freshness : uint8_t {
  Any,    // it can be sent again if the connection turns out to be stale
  Young,  // it cannot: rather a new connection than one in the last quarter of its idle time
  New,    // it has just met a stale one
};

// Thread: its worker's.
class ServerPool final : private event::TurnTask,
                         private event::TimerHandler,
                         private DrainListOwner {
 public:
  using Settings = std::shared_ptr<const config::Upstream>;

  ServerPool(WorkerPools& pools, std::shared_ptr<SharedServer> server, Settings settings,
             std::shared_ptr<stats::ServerStats> stats);
  // Closes what is left, with Shutdown.
  ~ServerPool();

  // --- For the Cluster and the balancer.

  // A connection that lies idle here, the most recently used first; empty if there is none that is
  // fit, or if a new one is wanted more and can be made.
  Lease take_idle(Freshness wanted);
  // Connects for the waiter. None if that has begun.
  CloseReason connect(Slot slot, Waiter* waiter, Trial trial = {});
  // The server is away: tries it with a connection for nobody, if it is time and nobody else does.
  void try_again();
  bool has_idle() const { return idle_count_ > 0; }
  uint32_t idle_count() const { return idle_count_; }
  bool idle_elsewhere() const;
  bool can_serve_now() const { return has_idle() || server_->slots.has_room() || idle_elsewhere(); }
  // Requests that this worker has on the server, those included that it has given up and the server
  // has not.
  uint32_t active() const { return active_count_ + draining_.slots(); }
  bool has_last_words() { return draining_.has_last_words(); }
  // Those of the others, as far as they have said.
  uint32_t active_elsewhere() const;
  bool empty() const { return open_count_ == 0; }
  // For something that this server may give: a slot that came free would be used.
  bool someone_waits() const;

  // Gives what is free to those who wait, at the end of the turn.
  void pump_later();
  // The queue may wait for idle connections of other workers: asks those that have some.
  void ask_other_workers();
  // An idle connection from another worker joins. nullptr: it is not fit for use and has closed.
  UpstreamConnection* adopt(std::unique_ptr<UpstreamConnection> connection);
  // Its state has changed: what must not be used any more closes.
  void on_server_changed();
  // The server was ejected, by this worker.
  void on_ejected();
  // An idle one of this pool, for `waiter`.
  void lend(UpstreamConnection& idle, Waiter& waiter);

  // New limits, live: idle connections beyond them close, and the timeouts of busy ones follow.
  void apply(Settings settings);
  // Closes what is idle. What is busy closes after its response if why_not_keep() says so.
  void close_idle(UpstreamClose reason);

  net::WorkerEnv& env() { return env_; }
  SharedServer& server() { return *server_; }
  const std::shared_ptr<SharedServer>& shared_server() const { return server_; }
  const config::Upstream& settings() const { return *settings_; }
  stats::ServerStats& stats() { return *stats_; }

  // --- For its connections.

  // Moves the connection to the list of its new state, and the gauges with it.
  void on_state(UpstreamConnection& connection, ConnectionState before, ConnectionState after);
  // Destroys the connection at the end of the turn, and drains what is left of it.
  void on_closed(UpstreamConnection& connection, ConnectionState before, ClosingConnection closing);
  // `security`: nullptr without TLS.
  void on_connected(Duration took, const net::Security* security);
  void on_connect_failed(ConnectFailure reason, std::string_view detail, TimePoint began,
                         Trial trial);
  void on_response(uint16_t status, Duration waited);
  void on_idle_limit(const IdleLimit& limit);
  // The server closed a connection that was idle, or that turned out to have been closed when it
  // was reused. `announced`: the server had said when it would. `served`: it had carried a request.
  void on_peer_close(Duration idle_age, bool announced, bool served);
  void on_stale_avoided();
  // A request has had its whole response, or failed in a way that speaks against the server.
  void on_answer(uint16_t status);
  void on_failure(CloseReason reason, std::string_view detail);
  void deliver(Waiter& waiter, UpstreamConnection& connection);
  void deliver_failure(Waiter& waiter, ConnectFailure reason);
  std::optional<UpstreamClose> why_not_keep() const;

 private:
  using List = OwningList<UpstreamConnection, PoolTag>;

  void run() override;  // the pump
  void on_timer(event::Timer& timer) override;
  void on_let_go(CloseReason reason) override;
  void on_ejection_over();
  void serve_queue();
  void try_again_in_time();
  bool may_grant(const Ticket& ticket) const;
  void wake_at(TimePoint at);
  void tell_trouble(CloseReason reason, std::string_view detail);
  void judge(uint16_t status);
  void on_error();
  UpstreamConnection* fresh_idle();
  // A connection joins this worker, or leaves it.
  UpstreamConnection& join(std::unique_ptr<UpstreamConnection> connection);
  std::unique_ptr<UpstreamConnection> part_with(UpstreamConnection& idle);
  List& list_of(ConnectionState state);
  UpstreamConnection& put(std::unique_ptr<UpstreamConnection> connection);
  std::unique_ptr<UpstreamConnection> take(UpstreamConnection& connection, ConnectionState state);
  void count(ConnectionState state, int by);
  void on_something_free();
  void publish_idle();
  bool too_many_idle() const;
  void trim_later();
  void trim_idle();
  uint32_t idle_everywhere() const;
  void keep_warm();
  uint32_t wanted_idle() const;
  bool may_open_ahead();
  void grant(TicketPtr ticket, UpstreamConnection* idle, Slot slot);

  WorkerPools& pools_;
  net::WorkerEnv& env_;
  std::shared_ptr<SharedServer> server_;
  Settings settings_;
  std::shared_ptr<stats::ServerStats> stats_;
  List idle_;  // most recently used first
  List others_;
  DrainList draining_;
  event::Timer return_timer_;   // the server is left out until then
  event::Timer surplus_timer_;  // armed while there are more idle connections than max_idle
  TimePoint warm_again_at_{};   // none is opened ahead of need before
  uint32_t idle_count_ = 0;
  uint32_t active_count_ = 0;
  uint32_t open_count_ = 0;
};

}  // namespace berth::upstream
