// The main thread of the proxy, as far as it deals with servers: it checks their health, and drains
// them by hand.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "proxy/upstream/health_checker.h"
#include "tests/sim/sim_network.h"

namespace berth::sim {

class SimMainThread final : private upstream::HealthObserver {
 public:
  SimMainThread(World& world, stats::Registry& registry, Dialer& dialer,
                const std::vector<upstream::Peer>& peers, uint64_t seed);

  void apply(const std::vector<upstream::ClusterPlan>& plan);
  // Takes a server out of service, or back in.
  void set_draining(const std::shared_ptr<upstream::SharedServer>& server, bool draining);

  bool runnable() const { return !ready_.empty() || timers_.next_deadline() <= world_.now(); }
  TimePoint next_deadline() const { return timers_.next_deadline(); }
  // One turn.
  void step();
  // As the process ends.
  void close_all() { checker_.close_all(); }

 private:
  void on_health(const std::shared_ptr<upstream::SharedServer>& server, bool healthy,
                 std::string_view why) override;
  void on_room(const std::shared_ptr<upstream::SharedServer>& server) override;

  World& world_;
  const std::vector<upstream::Peer>& peers_;
  event::TimeSource time_;
  event::TimerQueue timers_;
  event::TurnQueue turn_;
  event::Runtime runtime_;
  ReadyList ready_;
  Dice dice_;
  SimNetwork network_;
  net::Scratch scratch_;
  Random random_;
  net::WorkerEnv env_;
  upstream::HealthChecker checker_;
};

}  // namespace berth::sim
