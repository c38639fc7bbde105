#include "proxy/upstream/worker_pools.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace berth::upstream {

// A ticket on its way home with what it was granted.
class GrantMessage final : public event::Message {
 public:
  GrantMessage(TicketPtr ticket, std::unique_ptr<UpstreamConnection> connection, Slot slot,
               std::shared_ptr<SharedServer> server)
      : server_(std::move(server)),
        ticket_(std::move(ticket)),
        connection_(std::move(connection)),
        slot_(std::move(slot)) {}

  void deliver() override {
    WorkerPools& home = *ticket_->home;
    home.on_grant(std::move(ticket_), std::move(connection_), std::move(slot_), server_);
  }

 private:
  std::shared_ptr<SharedServer> server_;  // first: the slots are given back to it
  TicketPtr ticket_;  // still here at the end: the worker has stopped, and so has the waiter
  std::unique_ptr<UpstreamConnection> connection_;
  Slot slot_;
};

// "Somebody waits for what you have idle."
class PumpMessage final : public event::Message {
 public:
  PumpMessage(WorkerPools& pools, std::shared_ptr<SharedServer> server)
      : pools_(pools), server_(std::move(server)) {}

  void deliver() override {
    if (ServerPool* pool = pools_.find(*server_)) pool->pump_later();
  }

 private:
  WorkerPools& pools_;
  std::shared_ptr<SharedServer> server_;
};

// "This server is not what it was."
class ServerChangedMessage final : public event::Message {
 public:
  ServerChangedMessage(WorkerPools& pools, std::shared_ptr<SharedServer> server)
      : pools_(pools), server_(std::move(server)) {}

  void deliver() override { pools_.on_server_changed(*server_); }

 private:
  WorkerPools& pools_;
  std::shared_ptr<SharedServer> server_;
};

void tell_all(const std::vector<Peer>& peers, const std::shared_ptr<SharedServer>& server) {
  for (const Peer& peer : peers) {
    peer.mailbox->post(std::make_unique<ServerChangedMessage>(*peer.pools, server));
  }
}

WorkerPools::~WorkerPools() {
  close_all();
}

ServerPool* WorkerPools::find(const SharedServer& server) {
  const auto at = pools_.find(&server);
  return at == pools_.end() ? nullptr : at->second.get();
}

Cluster* WorkerPools::find(const SharedCluster& cluster) {
  const auto at = clusters_.find(&cluster);
  return at == clusters_.end() ? nullptr : at->second.get();
}

void WorkerPools::apply(const std::vector<ClusterPlan>& plan) {
  std::unordered_set<const SharedServer*> kept;
  for (const ClusterPlan& upstream : plan) {
    std::vector<ServerPool*> servers;
    for (const std::shared_ptr<SharedServer>& server : upstream.servers) {
      kept.insert(server.get());
      std::unique_ptr<ServerPool>& pool = pools_[server.get()];
      if (pool == nullptr) {
        pool =
            std::make_unique<ServerPool>(*this, server, upstream.settings,
                                         registry_.server(upstream.cluster->name, server->name()));
        pool->pump_later();  // for those who waited before this server was there
      } else {
        pool->apply(upstream.settings);
      }
      servers.push_back(pool.get());
    }
    std::unique_ptr<Cluster>& cluster = clusters_[upstream.cluster.get()];
    if (cluster == nullptr) {
      cluster = std::make_unique<Cluster>(*this, upstream.cluster,
                                          registry_.queue(upstream.cluster->name));
    }
    cluster->apply(upstream.settings, std::move(servers));
  }
  for (auto& [shared, cluster] : clusters_) {
    cluster->set_named(
        std::any_of(plan.begin(), plan.end(), [&cluster = *cluster](const auto& upstream) {
          return upstream.cluster == cluster.shared();
        }));
  }
  for (auto& [server, pool] : pools_) {
    if (!kept.contains(server)) pool->close_idle(CloseReason::Retired);
  }
  sweep();
}

// What left the configuration goes when nothing uses it any more.
void WorkerPools::sweep() {
  std::erase_if(clusters_, [](const auto& entry) {
    return !entry.second->named() && !entry.second->in_use();
  });
  std::unordered_set<const ServerPool*> used;
  for (const auto& [shared, cluster] : clusters_) {
    used.insert(cluster->servers().begin(), cluster->servers().end());
  }
  std::erase_if(pools_, [&](const auto& entry) {
    const ServerPool& pool = *entry.second;
    // A request in flight may still name the server it was sent to.
    const Cluster* cluster = find(*entry.second->server().cluster);
    return !used.contains(&pool) && pool.empty() && (cluster == nullptr || !cluster->in_use());
  });
  something_retired_ = pools_.size() > used.size() || has_retired_cluster();
}

bool WorkerPools::has_retired_cluster() const {
  return std::any_of(clusters_.begin(), clusters_.end(),
                     [](const auto& entry) { return !entry.second->named(); });
}

void WorkerPools::on_server_changed(const SharedServer& server) {
  if (ServerPool* pool = find(server)) pool->on_server_changed();
  if (Cluster* cluster = find(*server.cluster)) cluster->look_for_servers();
}

void WorkerPools::close_idle() {
  keeps_warm_ = false;
  for (auto& [server, pool] : pools_) pool->close_idle(CloseReason::Shutdown);
}

bool WorkerPools::has_last_words() {
  return std::any_of(pools_.begin(), pools_.end(),
                     [](auto& entry) { return entry.second->has_last_words(); });
}

void WorkerPools::close_all() {
  clusters_.clear();
  pools_.clear();
  orphans_.clear();
  env_.runtime.turn.run();
}

void WorkerPools::ask_to_pump(uint32_t worker, const std::shared_ptr<SharedServer>& server) {
  const Peer& peer = (*peers_)[worker];
  peer.mailbox->post(std::make_unique<PumpMessage>(*peer.pools, server));
}

void WorkerPools::send_grant(TicketPtr ticket, std::unique_ptr<UpstreamConnection> connection,
                             Slot slot, const std::shared_ptr<SharedServer>& server) {
  for (const Peer& peer : *peers_) {
    if (peer.pools != ticket->home) continue;
    peer.mailbox->post(std::make_unique<GrantMessage>(std::move(ticket), std::move(connection),
                                                      std::move(slot), server));
    return;
  }
}

Waiter* WorkerPools::take_waiter(TicketPtr ticket, stats::AcquireSource source) {
  Waiter* waiter = ticket->waiter;
  if (waiter == nullptr) return nullptr;
  waiter->cluster().left_queue(*waiter);
  waiter->set_source(source);
  return waiter;
}

void WorkerPools::on_grant(TicketPtr ticket, std::unique_ptr<UpstreamConnection> connection,
                           Slot slot, const std::shared_ptr<SharedServer>& server) {
  ServerPool* pool = find(*server);
  if (pool == nullptr) {
    // A reload has not reached this worker yet, or has gone past it: the request keeps its place,
    // the grant is undone.
    if (connection != nullptr) drain_orphan(*connection, server);
    connection.reset();
    slot.give_back();
    put_back(std::move(ticket), *server);
    return;
  }
  const bool handed_over = connection != nullptr;
  UpstreamConnection* joined = handed_over ? pool->adopt(std::move(connection)) : nullptr;
  if (handed_over && joined == nullptr) {
    put_back(std::move(ticket), *server);
    return;
  }
  // It has gone away meanwhile, and is tried by one connection at a time.
  if (!handed_over && server->backoff.away()) {
    slot.give_back();
    put_back(std::move(ticket), *server);
    return;
  }
  Waiter* waiter = take_waiter(std::move(ticket), handed_over ? stats::AcquireSource::Handover
                                                              : stats::AcquireSource::Queue);
  if (waiter == nullptr) {
    slot.give_back();
    pool->pump_later();  // for others
  } else if (handed_over) {
    pool->lend(*joined, *waiter);
  } else {
    const CloseReason failure = pool->connect(std::move(slot), waiter);
    if (failure != CloseReason::None) pool->deliver_failure(*waiter, ConnectFailure::of(failure));
  }
}

void WorkerPools::drain_orphan(UpstreamConnection& connection,
                               const std::shared_ptr<SharedServer>& server) {
  const Cluster* cluster = find(*server->cluster);
  const Duration patience =
      cluster != nullptr ? cluster->settings().pool.close_timeout : config::Pool{}.close_timeout;
  OrphanObserver& self = *this;
  OrphanConnection& orphan = orphans_.adopt(std::make_unique<OrphanConnection>(
      env_, server, registry_.server(server->cluster->name, server->name()), self));
  orphan.drain(connection.dismantle(CloseReason::Retired), patience);
}

void WorkerPools::on_orphan_gone(OrphanConnection& orphan) {
  tell_all(*peers_, orphan.server());
  env_.runtime.turn.dispose(orphans_.extract(orphan));
}

void WorkerPools::put_back(TicketPtr ticket, const SharedServer& server) {
  if (ticket->waiter == nullptr) return;
  Cluster& cluster = ticket->waiter->cluster();
  const TriedServers tried = ticket->tried;
  server.cluster->queue.put_back(std::move(ticket));
  cluster.look_again(tried);
}

}  // namespace berth::upstream
