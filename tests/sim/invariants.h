// What must hold at every step, whatever happens: the rules of the pool (ARCHITECTURE.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/upstream/shared_server.h"
#include "tests/sim/server_sockets.h"
#include "tests/sim/sim_worker.h"

namespace berth::sim {

class Invariants {
 public:
  Invariants(World& world, const std::vector<std::unique_ptr<SimWorker>>& workers)
      : world_(world), workers_(workers) {}

  // A configuration has been handed out.
  void know(const server::WorkerPlan& plan);
  // What is to be seen of the connections to a server from outside the proxy.
  class Network {
   public:
    // Those that the proxy has or is making, upgraded ones excluded.
    virtual uint32_t connections_to(const net::Address& server) const = 0;
    // Those that the server's machine holds.
    virtual ServerSockets::Count open_at(const net::Address& server) = 0;

   protected:
    ~Network() = default;
  };
  void check(Network& network);
  // All workers have come to rest and no message is on its way.
  void check_quiet(const Network& network);
  // A connection is being made although no server was ever unavailable.
  void check_dial(const net::Address& to) const;
  // Everything is over.
  void check_end(const stats::Registry& registry);

  // From here on the proxy closes what it has and waits for no server to let go.
  void process_ends() { process_ends_ = true; }

 private:
  struct Waiting {
    uint64_t arrival;
    bool picky;  // some servers have been tried, or one is wanted: it may have to let others go
                 // first
    bool bound;  // one is wanted: others need not wait for it
  };
  struct Counts {
    uint64_t gave_up = 0;
    uint64_t idle_taken = 0;
    uint64_t generations = 0;  // of all workers: other servers are counted after a reload
  };
  struct Wait {
    TimePoint began{};  // the first time
    TimePoint came{};   // the last time
  };
  struct Queue {
    std::shared_ptr<upstream::SharedCluster> cluster;
    std::vector<Waiting> before{};
    Counts counted{};
    Duration patience{};                         // the longest queue_timeout so far
    std::unordered_map<uint64_t, Wait> waits{};  // by arrival
  };
  struct Bound {
    std::shared_ptr<upstream::SharedServer> server;
    uint32_t allowed = 0;
    uint32_t upgrades_allowed = 0;
    // Since when it has had more idle connections than max_idle of which none was needed.
    TimePoint surplus_since = TimePoint::max();
    uint64_t idle_used = 0;
  };

  void check_bound(Bound& bound, Network& network);
  Counts count(const upstream::SharedCluster& cluster) const;
  void check_queue(Queue& queue);
  void check_patience(Queue& queue, uint64_t arrival);
  void check_ejected(const Queue& queue);
  bool some_left_out(const upstream::SharedCluster& cluster) const;
  void check_nobody_waits_in_vain(const Queue& queue);
  bool may_use(const upstream::Ticket& ticket, const upstream::SharedServer& server) const;
  bool has_backup(const upstream::SharedCluster& cluster) const;
  void check_idle(Bound& bound);
  void check_surplus(Bound& bound, int64_t idle, uint32_t most, uint64_t used);

  World& world_;
  const std::vector<std::unique_ptr<SimWorker>>& workers_;
  std::vector<Queue> queues_;
  std::vector<Bound> bounds_;
  uint64_t generation_ = 0;
  bool process_ends_ = false;
};

}  // namespace berth::sim
