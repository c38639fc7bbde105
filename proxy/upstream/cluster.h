// One upstream as one worker sees it: its servers, its balancer, its end of the queue.
#pragma once

#include <memory>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/net/worker_env.h"
#include "proxy/stats/stats.h"
#include "proxy/upstream/balancer.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/retry_budget.h"
#include "proxy/upstream/server_pool.h"
#include "proxy/upstream/shared_server.h"
#include "proxy/upstream/waiter.h"

namespace berth::upstream {

class ServerObserver;

// Lives through reloads; new settings apply to it live. Thread: its worker's.
class Cluster {
 public:
  Cluster(WorkerPools& pools, std::shared_ptr<SharedCluster> shared,
          std::shared_ptr<stats::QueueStats> stats);

  struct Wanted {
    TriedServers tried;
    Freshness freshness = Freshness::Any;
    Affinity affinity{};
    bool must_wait = false;  // joins the queue, whatever is free
  };
  // One of: a lease at once; a refusal (with the server that refused, if any did); neither: the
  // waiter will be called.
  struct Outcome {
    Lease lease;
    stats::AcquireSource source = stats::AcquireSource::Idle;
    CloseReason refused = CloseReason::None;
    const SharedServer* server = nullptr;
  };
  Outcome acquire(Waiter& waiter, const Wanted& wanted);

  // Nobody waits, and a server that is ready has a connection to give.
  bool has_room_now() const;
  // The right to hold a connection while the request's body is still coming. Empty: as many do as
  // may.
  Slot take_upload_slot() { return shared_->uploads.try_take(); }

  // Whether a request that could not be sent, because of `reason`, waits in the queue until some
  // server can be reached.
  bool waits_after(CloseReason reason) const;

  const config::Upstream& settings() const { return *settings_; }
  const std::string& name() const { return shared_->name; }
  RetryBudget& retry_budget() { return retry_budget_; }
  stats::QueueStats& stats() { return *stats_; }
  const std::shared_ptr<SharedCluster>& shared() const { return shared_; }
  const std::vector<ServerPool*>& servers() const { return servers_; }
  const Balancer& balancer() const { return balancer_; }
  // nullptr: nobody wants to know.
  ServerObserver* observer() const;

  // All who wait may use servers that they could not use before: of those that were left, or that
  // they waited for in vain.
  void look_for_servers();
  void apply(ServerPool::Settings settings, std::vector<ServerPool*> servers);
  // Every request that acquires is counted, from its first acquire() until nothing of it is left.
  void request_began() { retry_budget_.request_began(); }
  void request_ended();
  // Whether the plan that this worker applied last names it. (The shared flag is ahead of the
  // worker.)
  bool named() const { return named_; }
  void set_named(bool named) { named_ = named; }
  bool in_use() const { return retry_budget_.in_flight() > 0; }

  net::WorkerEnv& env() { return env_; }

  // --- For its waiters.

  // queue_timeout is over: ends the wait and tells the waiter.
  void on_queue_timeout(Waiter& waiter);
  // The waiter itself ends its wait.
  void on_client_gone(Waiter& waiter);

  // --- For its pools.

  // Ends the wait of a waiter whose ticket has left the queue, and counts how long it took.
  void left_queue(Waiter& waiter);
  // Asks for what is free for a request that has gone (back) into the queue.
  void look_again(const TriedServers& tried);

  // There may be room: servers that left the configuration share their bound with those that took
  // their places.
  void pump_those_that_stay();

  // Leaves a server out whose requests fail, if enough others are left.
  void eject(ServerPool& pool);

 private:
  // `only`: the one server that it waits for; nullptr: any.
  Outcome enqueue(Waiter& waiter, const TriedServers& tried, ServerPool* only);
  void try_those_that_are_away();
  bool all_away() const;
  void give_up(Waiter& waiter);

  WorkerPools& pools_;
  net::WorkerEnv& env_;
  std::shared_ptr<SharedCluster> shared_;
  std::shared_ptr<stats::QueueStats> stats_;
  ServerPool::Settings settings_;
  std::vector<ServerPool*> servers_;
  Balancer balancer_;
  RetryBudget retry_budget_;
  bool named_ = true;
};

}  // namespace berth::upstream
