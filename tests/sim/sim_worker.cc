#include "tests/sim/sim_worker.h"

#include <algorithm>
#include <utility>

namespace berth::sim {

void SimMailbox::post(std::unique_ptr<event::Message> message) {
  Lane& lane = lanes_[sender_];
  TimePoint at = world_.now();
  if (most_delay_ > Duration(0)) {
    at += world_.dice().between(Duration(0), most_delay_);
    if (!lane.empty()) at = std::max(at, lane.back().at);
    world_.after(at - world_.now(), [] {});  // so that time stops there
  }
  lane.push_back({at, std::move(message)});
  ++waiting_;
}

size_t SimMailbox::size() const {
  if (waiting_ == 0) return 0;
  size_t here = 0;
  for (const Lane& lane : lanes_) {
    here += static_cast<size_t>(std::count_if(
        lane.begin(), lane.end(), [&](const Letter& letter) { return letter.at <= world_.now(); }));
  }
  return here;
}

std::unique_ptr<event::Message> SimMailbox::take(Dice& dice) {
  size_t at = dice.below(lanes_.size());
  while (!has_one(lanes_[at])) at = (at + 1) % lanes_.size();
  std::unique_ptr<event::Message> message = std::move(lanes_[at].front().message);
  lanes_[at].pop_front();
  --waiting_;
  return message;
}

void SimMailbox::clear() {
  for (Lane& lane : lanes_) lane.clear();
  waiting_ = 0;
}

SimPort::SimPort(SimWorker& worker, std::deque<Caller> backlog,
                 std::unique_ptr<client::ClientListener> clients)
    : Port(std::move(clients)), worker_(worker), backlog_(std::move(backlog)) {
  worker.open_ports_.push_back(this);
}

SimPort::~SimPort() {
  for (const Caller& caller : backlog_) caller.link->near().reset();
  if (open_) std::erase(worker_.open_ports_, this);
}

void SimPort::stop_accepting() {
  while (!backlog_.empty()) accept_one();
  std::erase(worker_.open_ports_, this);
  open_ = false;
}

void SimPort::accept_one() {
  const Caller caller = backlog_.front();
  backlog_.pop_front();
  caller.link->accepted_at = worker_.world_.now();
  bool admitted = false;
  clients().accept(caller.peer, [&](net::TransportHandler& handler) {
    admitted = true;
    auto transport = std::make_unique<SimTransport>(*caller.link, SimTransport::Stage::Open);
    transport->attach(worker_.ready_, handler);
    return std::unique_ptr<net::Transport>(std::move(transport));
  });
  if (!admitted) caller.link->near().close();
}

server::ListenerPlan plan_listener(std::shared_ptr<const config::Listener> settings,
                                   std::shared_ptr<client::ConnectionCount> count,
                                   client::TlsAcceptorPtr tls,
                                   std::shared_ptr<stats::ListenerStats> stats) {
  server::ListenerPlan plan;
  plan.key = settings->address.canonical();
  plan.settings = std::move(settings);
  plan.count = std::move(count);
  plan.tls = std::move(tls);
  plan.stats = std::move(stats);
  return plan;
}

SimWorker::SimWorker(const Setup& setup)
    : world_(setup.world),
      timers_(setup.world.now()),
      runtime_{time_, timers_, turn_},
      mailbox_(setup.world, setup.workers + 1, setup.sender),
      dice_(setup.world.dice().next()),
      network_(setup.dialer, ready_, dice_),
      core_({.runtime = runtime_, .network = network_, .mailbox = mailbox_, .ports = *this},
            setup.index, setup.registry, nullptr, setup.observer, setup.world.dice().next(),
            "sim") {
  time_.set_now(world_.now());
}

std::unique_ptr<server::Port> SimWorker::open(server::ListenerPlan&,
                                              std::unique_ptr<client::ClientListener> clients,
                                              server::Eviction&) {
  return std::make_unique<SimPort>(*this, std::exchange(early_, {}), std::move(clients));
}

void SimWorker::connect(Link& link, const net::Address& peer) {
  if (core_.snapshot() == nullptr) {
    early_.push_back({&link, peer});
  } else if (open_ports_.empty()) {
    link.near().reset();  // nobody listens any more
  } else {
    open_ports_.front()->queue({&link, peer});
  }
}

size_t SimWorker::callers() const {
  size_t count = 0;
  for (const SimPort* port : open_ports_) count += port->queued();
  return count;
}

void SimWorker::accept_nth(size_t caller) {
  for (SimPort* port : open_ports_) {
    if (caller < port->queued()) {
      port->accept_one();
      return;
    }
    caller -= port->queued();
  }
}

bool SimWorker::left_over() const {
  const bool clients =
      std::any_of(core_.ports().begin(), core_.ports().end(),
                  [](const auto& port) { return !port.second->clients().empty(); });
  return clients || !core_.closing().empty() || timers_.next_deadline() != TimePoint::max() ||
         !turn_.empty();
}

bool SimWorker::runnable() const {
  return in_turn_ || turn_.has_yielded() || !ready_.empty() || mailbox_.size() > 0 ||
         callers() > 0 || next_deadline_ <= world_.now();
}

void SimWorker::step() {
  if (!in_turn_) {
    in_turn_ = true;
    turn_.begin();
    time_.set_now(world_.now());
    // What epoll_wait() reports is what is there now; what comes during the turn waits for the next
    // one.
    callbacks_left_ = ready_.size() + mailbox_.size() + callers();
    if (callbacks_left_ > 1 && dice_.percent(30))
      callbacks_left_ = dice_.between(1, callbacks_left_);
  }
  const size_t here = ready_.size() + mailbox_.size() + callers();
  if (callbacks_left_ == 0 || here == 0) {
    end_turn();
    return;
  }
  --callbacks_left_;
  const size_t choice = dice_.below(here);
  if (choice < ready_.size()) {
    ready_.take(choice).report();
  } else if (choice < ready_.size() + mailbox_.size()) {
    mailbox_.take(dice_)->deliver();
  } else {
    accept_nth(choice - ready_.size() - mailbox_.size());
  }
}

void SimWorker::end_turn() {
  timers_.advance(time_.now());
  turn_.run();
  in_turn_ = false;
  core_.end_turn();
  next_deadline_ = timers_.next_deadline();
}

}  // namespace berth::sim
