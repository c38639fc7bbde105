// One worker of the proxy: the real code, on a clock, a network and mailboxes of the simulation.
// Its turn is taken apart into steps, between which other workers and the outside go on.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "proxy/client/client_listener.h"
#include "proxy/event/mailbox.h"
#include "proxy/exchange/context.h"
#include "proxy/server/topology.h"
#include "proxy/upstream/worker_pools.h"
#include "tests/sim/sim_network.h"

namespace berth::sim {

// Messages for one worker, in the order of each sender; between senders the order is chance, and
// each takes its time.
class SimMailbox final : public event::Mailbox {
 public:
  // `sender`: who is acting now; one lane for each.
  SimMailbox(World& world, size_t lanes, const size_t& sender)
      : world_(world), lanes_(lanes), sender_(sender) {}
  void take_up_to(Duration delay) { most_delay_ = delay; }
  void post(std::unique_ptr<event::Message> message) override;
  // Nothing here, and nothing on its way.
  bool empty() const { return waiting_ == 0; }
  // Those that are here.
  size_t size() const;
  // One of those that are here, of a lane by chance.
  std::unique_ptr<event::Message> take(Dice& dice);
  void clear();

 private:
  struct Letter {
    TimePoint at;
    std::unique_ptr<event::Message> message;
  };
  using Lane = std::deque<Letter>;
  bool has_one(const Lane& lane) const { return !lane.empty() && lane.front().at <= world_.now(); }

  World& world_;
  std::vector<Lane> lanes_;
  const size_t& sender_;
  Duration most_delay_{};
  size_t waiting_ = 0;
};

class SimWorker {
 public:
  struct Setup {
    World& world;
    stats::Registry& registry;
    Dialer& dialer;
    uint32_t index;
    uint32_t workers;
    const size_t& sender;
    std::shared_ptr<client::ConnectionCount> count;
    std::shared_ptr<stats::ListenerStats> listener_stats;
  };
  explicit SimWorker(const Setup& setup);
  SimWorker(const SimWorker&) = delete;
  SimWorker& operator=(const SimWorker&) = delete;
  ~SimWorker() { close_all(); }
  // As a worker that is told to stop. Messages may still come, and are never delivered.
  void close_all();

  upstream::Peer peer() { return {&mailbox_, &pools_}; }
  void set_peers(const std::vector<upstream::Peer>& peers) { pools_.set_peers(&peers); }
  void take(const server::WorkerPlan& plan, std::shared_ptr<const config::Listener> listener);

  // A client is in the listener's backlog.
  void connect(Link& link, const net::Address& peer);
  void drain();

  bool in_turn() const { return in_turn_; }
  // Something to do at this moment?
  bool runnable() const;
  // The moment at which there will be, if nothing comes from outside.
  TimePoint next_deadline() const { return next_deadline_; }
  // One step: begins a turn, makes one callback, or ends the turn.
  void step();

  bool left_over() const { return timers_.next_deadline() != TimePoint::max() || !turn_.empty(); }
  SimMailbox& mailbox() { return mailbox_; }
  upstream::WorkerPools& pools() { return pools_; }
  client::ClientListener& listener() { return *listener_; }
  SimNetwork& network() { return network_; }
  const config::SnapshotPtr& snapshot() const { return snapshot_; }
  uint64_t generation() const { return snapshot_ ? snapshot_->generation : 0; }

 private:
  struct Caller {
    Link* link;
    net::Address peer;
  };
  void accept(const Caller& caller);
  void end_turn();

  World& world_;
  uint32_t index_;
  event::TimeSource time_;
  event::TimerQueue timers_;
  event::TurnQueue turn_;
  event::Runtime runtime_;
  ReadyList ready_;
  SimMailbox mailbox_;
  std::deque<Caller> backlog_;
  Dice dice_;
  SimNetwork network_;
  net::Scratch scratch_;
  Random random_;
  net::WorkerEnv env_;
  upstream::WorkerPools pools_;
  exchange::Context context_;
  std::shared_ptr<client::ConnectionCount> count_;
  std::shared_ptr<stats::ListenerStats> listener_stats_;
  std::unique_ptr<client::ClientListener> listener_;
  config::SnapshotPtr snapshot_;
  bool in_turn_ = false;
  bool draining_ = false;
  size_t callbacks_left_ = 0;  // of this turn
  TimePoint next_deadline_ = TimePoint::max();
};

}  // namespace berth::sim
