// One simulation: the proxy's workers, clients and servers of one seed, from the first connection
// to the last gauge.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/server/topology.h"
#include "tests/sim/client_model.h"
#include "tests/sim/holder_check.h"
#include "tests/sim/http2_client.h"
#include "tests/sim/invariants.h"
#include "tests/sim/memory_check.h"
#include "tests/sim/server_model.h"
#include "tests/sim/sim_main_thread.h"
#include "tests/sim/sim_worker.h"
#include "tests/sim/site.h"

namespace berth::sim {

struct Outcome {
  std::string failure;  // "": every rule held
  std::vector<std::string> trace;
  std::map<std::string, uint64_t> counts;
  uint64_t fingerprint = 0;
  uint64_t steps = 0;
};

Outcome simulate(const Scenario& scenario, bool trace);
inline Outcome simulate(uint64_t seed, bool trace = false) {
  return simulate(Scenario::draw(seed), trace);
}

class Simulation final : public Site,
                         private Dialer,
                         private SimTransport::Observer,
                         private Invariants::Network,
                         private server::WorkerObserver {
 public:
  Simulation(World& world, const Scenario& scenario);
  ~Simulation();

  // Until everything is over or a rule is broken.
  void run();
  uint64_t steps() const { return steps_; }

 private:
  void call(Link& link, const std::string& ip) override;
  void judge_memory_loss(uint32_t client) const override {
    memory_check_.judge_loss(client, clients_);
  }
  std::unique_ptr<SimTransport> dial(const net::Address& to, const net::TlsConnector* tls,
                                     CloseReason& failure) override;
  void on_transport_gone(SimTransport& transport) override;
  uint32_t connections_to(const net::Address& server) const override;
  ServerSockets::Count open_at(const net::Address& server) override;

  void on_worker_ready(uint32_t) override {}
  void on_worker_drained(uint32_t worker) override;
  void on_ejected(const upstream::SharedServer&, Duration, uint32_t) override {}
  void on_ejection_over(const upstream::SharedServer&) override {}
  void on_trouble(const upstream::SharedServer&, CloseReason, std::string_view) override {}
  void on_trouble_over(const upstream::SharedServer&) override {}
  void on_low_idle_limit(const upstream::SharedServer&, Duration, Duration) override {}
  void on_holder_ended(const upstream::SharedServer& server, const net::Address& client,
                       Duration rested, bool upload) override;

  bool away_and_waited_for(const net::Address& server) const;
  void check_only_trial(const net::Address& server);
  config::Upstream draw_upstream(const std::string& name);
  void redraw_listener();
  void draw_upstream_tls(config::Upstream& upstream);
  void redraw_listener_tls();
  void note_connectors();
  void note_who_left(const config::Config& config);
  void reload();
  void schedule_troubles();
  void drain();
  void drain_by_hand();
  bool step();
  bool step_worker();
  bool advance();
  void check();
  bool clients_done() const;
  void wind_down();
  void drop_workers();

  struct Dialled {
    SimTransport* transport;
    const ServerModel* server;
    bool trial = false;  // made while the server was known to be away
  };

  Dice dice_;
  stats::Registry registry_;
  SimSpool spool_;  // outlives what is in it
  server::Topology topology_;
  std::deque<ServerModel> servers_;
  std::deque<ClientModel> clients_;
  std::deque<Http2Client> http2_clients_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::vector<upstream::Peer> peers_;
  std::unique_ptr<SimMainThread> main_thread_;
  std::vector<upstream::ClusterPlan> clusters_;  // of the newest configuration
  std::vector<Dialled> dialled_;
  // Which settings each stands for. (Kept, so that no other one has its place in memory.)
  std::map<std::shared_ptr<const net::TlsConnector>, std::string> connectors_;
  std::shared_ptr<const net::TlsAcceptor> acceptor_;  // nullptr: the listener is plain
  Invariants invariants_;
  HolderCheck holder_check_;
  MemoryCheck memory_check_;
  size_t sender_;  // whose mailbox lane is written to: a worker, or the main thread
  uint64_t generation_ = 0;
  bool ending_ = false;
  uint64_t steps_ = 0;
  TimePoint lag_until_{};
  uint32_t drained_ = 0;  // workers that have said so
  const std::shared_ptr<client::ConnectionCount> clients_open_ =
      std::make_shared<client::ConnectionCount>();
  std::shared_ptr<const config::Listener> listener_;
};

}  // namespace berth::sim
