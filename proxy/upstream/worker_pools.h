// All upstreams of one worker, and its dealings with the pools of the other workers.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "proxy/base/owning_list.h"
#include "proxy/event/mailbox.h"
#include "proxy/event/turn_queue.h"
#include "proxy/net/worker_env.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/orphan_connection.h"
#include "proxy/upstream/server_observer.h"
#include "proxy/upstream/server_pool.h"
#include "proxy/upstream/shared_server.h"

namespace berth::upstream {

class WorkerPools;

// One upstream as a snapshot describes it, for all workers.
struct ClusterPlan {
  std::shared_ptr<SharedCluster> cluster;
  ServerPool::Settings settings;
  std::vector<std::shared_ptr<SharedServer>> servers;
};

// Where each worker's messages go; the same for all workers, fixed before the first request.
struct Peer {
  event::Mailbox* mailbox = nullptr;
  WorkerPools* pools = nullptr;
};

// Tells all workers that something has changed about a server. Thread: any.
void tell_all(const std::vector<Peer>& peers, const std::shared_ptr<SharedServer>& server);

// Thread: its worker's.
class WorkerPools : private event::TurnTask, private OrphanObserver {
 public:
  // `observer`: may be nullptr.
  WorkerPools(net::WorkerEnv& env, stats::Registry& registry, ServerObserver* observer = nullptr)
      : env_(env), registry_(registry), observer_(observer) {}
  WorkerPools(const WorkerPools&) = delete;
  WorkerPools& operator=(const WorkerPools&) = delete;
  ~WorkerPools();

  void set_peers(const std::vector<Peer>* peers) { peers_ = peers; }

  // Takes a snapshot's upstreams over: makes what is new, applies limits to what stays, retires
  // what is gone. Warm connections of servers that stay are kept.
  void apply(const std::vector<ClusterPlan>& plan);
  // Closes every idle connection, and opens none ahead of need any more (shutdown).
  void close_idle();
  // Whether servers have yet to take what clients, which may be gone, have said to them.
  bool has_last_words();
  // Closes everything; the client side is gone by then.
  void close_all();

  // Something has changed about a server that other threads know of: its state, or there is room.
  void on_server_changed(const SharedServer& server);

  Cluster* find(const SharedCluster& cluster);
  net::WorkerEnv& env() { return env_; }

  // --- For the pools.

  void ask_to_pump(uint32_t worker, const std::shared_ptr<SharedServer>& server);
  // A popped ticket goes home with a connection or a slot.
  void send_grant(TicketPtr ticket, std::unique_ptr<UpstreamConnection> connection, Slot slot,
                  const std::shared_ptr<SharedServer>& server);
  ServerObserver* observer() const { return observer_; }
  bool keeps_warm() const { return keeps_warm_; }
  // A pool has closed its last connection, or an upstream has ended its last request: if it has
  // left the configuration, it goes.
  void sweep_later() {
    if (something_retired_) env_.runtime.turn.later(*this);
  }
  // Ends the wait of a popped ticket. nullptr if the waiter has given up.
  Waiter* take_waiter(TicketPtr ticket, stats::AcquireSource source);

 private:
  friend class GrantMessage;
  friend class PumpMessage;
  ServerPool* find(const SharedServer& server);
  void on_grant(TicketPtr ticket, std::unique_ptr<UpstreamConnection> connection, Slot slot,
                const std::shared_ptr<SharedServer>& server);
  // The ticket was granted what cannot be used: it keeps its place.
  void put_back(TicketPtr ticket, const SharedServer& server);
  // Closes a connection that came for a pool which is not here.
  void drain_orphan(UpstreamConnection& connection, const std::shared_ptr<SharedServer>& server);
  void on_orphan_gone(OrphanConnection& orphan) override;
  void run() override { sweep(); }
  void sweep();
  bool has_retired_cluster() const;

  net::WorkerEnv& env_;
  stats::Registry& registry_;
  ServerObserver* const observer_;
  const std::vector<Peer>* peers_ = nullptr;
  bool something_retired_ = false;
  bool keeps_warm_ = true;
  // Connections that another worker has sent and that found no pool here.
  OwningList<OrphanConnection, OrphanTag> orphans_;
  std::unordered_map<const SharedServer*, std::unique_ptr<ServerPool>> pools_;
  std::unordered_map<const SharedCluster*, std::unique_ptr<Cluster>> clusters_;
};

}  // namespace berth::upstream
