#include "tests/sim/sim_main_thread.h"

namespace berth::sim {

SimMainThread::SimMainThread(World& world, stats::Registry& registry, Dialer& dialer,
                             const std::vector<upstream::Peer>& peers, uint64_t seed)
    : world_(world),
      peers_(peers),
      timers_(world.now()),
      runtime_{time_, timers_, turn_},
      dice_(seed),
      network_(dialer, ready_, dice_),
      random_(dice_.next()),
      env_{runtime_, network_, scratch_, random_, 0},
      checker_(env_, registry, *this) {
  time_.set_now(world.now());
}

void SimMainThread::apply(const std::vector<upstream::ClusterPlan>& plan) {
  time_.set_now(world_.now());
  checker_.apply(plan);
}

void SimMainThread::set_draining(const std::shared_ptr<upstream::SharedServer>& server,
                                 bool draining) {
  world_.note("%s %s", server->name().c_str(), draining ? "drains" : "is back in service");
  if (draining) {
    server->states.set(stats::ServerState::Draining);
  } else {
    server->states.clear(stats::ServerState::Draining);
    server->came_up(world_.now());
  }
  upstream::tell_all(peers_, server);
}

void SimMainThread::step() {
  time_.set_now(world_.now());
  turn_.begin();
  if (!ready_.empty()) ready_.take(dice_.below(ready_.size())).report();
  timers_.advance(world_.now());
  turn_.run();
}

void SimMainThread::on_health(const std::shared_ptr<upstream::SharedServer>& server, bool healthy,
                              std::string_view why) {
  world_.note("%s is %s: %.*s", server->name().c_str(), healthy ? "healthy" : "unhealthy",
              static_cast<int>(why.size()), why.data());
  upstream::tell_all(peers_, server);
}

void SimMainThread::on_room(const std::shared_ptr<upstream::SharedServer>& server) {
  upstream::tell_all(peers_, server);
}

}  // namespace berth::sim
