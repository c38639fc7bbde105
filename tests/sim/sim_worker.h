// One worker of the proxy: the real server::WorkerCore, on a clock, a network, ports and mailboxes
// of the simulation. Its turn is taken apart into steps, between which other workers and the
// outside go on.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "proxy/event/mailbox.h"
#include "proxy/server/worker_core.h"
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

class SimWorker;

// A client that waits in a listener's backlog.
struct Caller {
  Link* link;
  net::Address peer;
};

class SimPort final : public server::Port {
 public:
  SimPort(SimWorker& worker, std::deque<Caller> backlog,
          std::unique_ptr<client::ClientListener> clients);
  ~SimPort() override;

  void stop_accepting() override;
  void queue(const Caller& caller) { backlog_.push_back(caller); }
  size_t queued() const { return backlog_.size(); }
  void accept_one();

 private:
  SimWorker& worker_;
  std::deque<Caller> backlog_;
  bool open_ = true;
};

// One that a worker is to have; `stats`: nullptr if it has it already.
server::ListenerPlan plan_listener(std::shared_ptr<const config::Listener> settings,
                                   std::shared_ptr<client::ConnectionCount> count,
                                   client::TlsAcceptorPtr tls,
                                   std::shared_ptr<stats::ListenerStats> stats);

class SimWorker final : private server::PortOpener {
 public:
  struct Setup {
    World& world;
    stats::Registry& registry;
    Dialer& dialer;
    server::WorkerObserver& observer;
    uint32_t index;
    uint32_t workers;
    const size_t& sender;
  };
  explicit SimWorker(const Setup& setup);
  SimWorker(const SimWorker&) = delete;
  SimWorker& operator=(const SimWorker&) = delete;
  ~SimWorker() { close_all(); }
  // As the thread of a worker ends. Messages may still come, and are never delivered.
  void close_all() { core_.close_all(); }

  // A client calls.
  void connect(Link& link, const net::Address& peer);

  bool in_turn() const { return in_turn_; }
  // Something to do at this moment?
  bool runnable() const;
  // The moment at which there will be, if nothing comes from outside.
  TimePoint next_deadline() const { return next_deadline_; }
  // One step: begins a turn, makes one callback, or ends the turn.
  void step();

  server::WorkerCore& core() { return core_; }
  // A client connection, a timer or a task.
  bool left_over() const;
  SimMailbox& mailbox() { return mailbox_; }
  upstream::WorkerPools& pools() { return core_.pools(); }
  SimNetwork& network() { return network_; }
  uint64_t generation() const { return core_.snapshot() ? core_.snapshot()->generation : 0; }

 private:
  friend class SimPort;
  std::unique_ptr<server::Port> open(server::ListenerPlan& plan,
                                     std::unique_ptr<client::ClientListener> clients,
                                     server::Eviction& eviction) override;
  size_t callers() const;
  void accept_nth(size_t caller);
  void end_turn();

  World& world_;
  event::TimeSource time_;
  event::TimerQueue timers_;
  event::TurnQueue turn_;
  event::Runtime runtime_;
  ReadyList ready_;
  SimMailbox mailbox_;
  std::vector<SimPort*> open_ports_;
  std::deque<Caller> early_;  // before the first configuration
  Dice dice_;
  SimNetwork network_;
  server::WorkerCore core_;
  bool in_turn_ = false;
  size_t callbacks_left_ = 0;  // of this turn
  TimePoint next_deadline_ = TimePoint::max();
};

}  // namespace berth::sim
