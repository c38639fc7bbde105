// A stage for tests that play client and server themselves: the proxy's workers on the simulated
// network, without chance.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/server/topology.h"
#include "tests/sim/sim_spool.h"
#include "tests/sim/sim_worker.h"

namespace berth::sim {

class Stage : private Dialer, private server::WorkerObserver {
 public:
  explicit Stage(uint32_t workers = 1);
  ~Stage();

  // Before the first client: what is configured. Afterwards: a reload, which all workers but those
  // in `late` take over.
  config::Upstream& upstream() { return upstream_; }
  config::Listener& listener() { return listener_; }
  void apply(const std::vector<uint32_t>& late = {});
  void apply_late();

  // One end of a connection, played by the test.
  struct Peer {
    Link* link = nullptr;
    End& end() { return link->far(); }
    void say(std::string_view text);
    // Everything that has come and was not heard yet.
    std::string hear();
    bool hung_up() { return end().fin_arrived() || end().rst_arrived(); }
  };

  Peer call(uint32_t worker = 0);
  // The connections to servers, in the order in which they were made. The test decides when each
  // stands.
  size_t dialled() const { return dialled_.size(); }
  Peer server(size_t index) { return Peer{dialled_[index].link}; }
  net::Address server_address(size_t index) const { return dialled_[index].address; }
  void stand(size_t index);
  void refuse(size_t index);
  // Connections are made as soon as they are asked for.
  void stand_at_once() { at_once_ = true; }
  // Servers do not close what the proxy wants to close, unless the test does it.
  void hold_on() { lets_go_ = false; }

  // Runs until nothing more happens at this moment.
  void settle();
  void pass(Duration time);

  SimWorker& worker(uint32_t index) { return *workers_[index]; }
  upstream::SharedServer& shared(size_t server = 0) { return *clusters_[0].servers[server]; }
  // Of all workers.
  std::unique_ptr<stats::ListenerStats> listener_stats() const {
    return std::move(registry_.snapshot().listeners.front().stats);
  }
  // Of the first server.
  std::unique_ptr<stats::ServerStats> server_stats() const {
    return std::move(registry_.snapshot().servers.front().stats);
  }
  SimSpool& spool() { return spool_; }
  SpoolManners& disk() { return disk_; }
  size_t waiting() const { return clusters_[0].cluster->queue.waiting(); }

 private:
  std::unique_ptr<SimTransport> dial(const net::Address& to, const net::TlsConnector* tls,
                                     CloseReason& failure) override;
  bool let_go();

  void on_worker_ready(uint32_t) override {}
  void on_worker_drained(uint32_t) override {}
  void on_ejected(const upstream::SharedServer&, Duration, uint32_t) override {}
  void on_ejection_over(const upstream::SharedServer&) override {}
  void on_trouble(const upstream::SharedServer&, CloseReason, std::string_view) override {}
  void on_trouble_over(const upstream::SharedServer&) override {}
  void on_low_idle_limit(const upstream::SharedServer&, Duration, Duration) override {}
  void on_holder_ended(const upstream::SharedServer&, const net::Address&, Duration,
                       bool) override {}
  void hand_out(uint32_t worker);

  struct Dialled {
    Link* link;
    SimTransport* transport;
    net::Address address;
  };

  World world_{1, false};
  std::deque<Link> links_;
  stats::Registry registry_;
  SpoolManners disk_;
  SimSpool spool_{world_, disk_};
  server::Topology topology_;
  size_t sender_;
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::vector<upstream::Peer> peers_;
  std::vector<Dialled> dialled_;
  config::Upstream upstream_;
  config::Listener listener_;
  std::vector<upstream::ClusterPlan> clusters_;  // of the newest configuration
  std::vector<server::WorkerPlan> plans_;
  const std::shared_ptr<client::ConnectionCount> clients_open_ =
      std::make_shared<client::ConnectionCount>();
  uint64_t generation_ = 0;
  bool at_once_ = false;
  bool lets_go_ = true;
};

}  // namespace berth::sim
