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

SimWorker::SimWorker(const Setup& setup)
    : world_(setup.world),
      index_(setup.index),
      timers_(setup.world.now()),
      runtime_{time_, timers_, turn_},
      mailbox_(setup.world, setup.workers + 1, setup.sender),
      dice_(setup.world.dice().next()),
      network_(setup.dialer, ready_, dice_),
      random_(setup.world.dice().next()),
      env_{runtime_, network_, scratch_, random_, setup.index},
      pools_(env_, setup.registry),
      context_{.env = env_, .router = {}, .access_log = nullptr},
      count_(setup.count),
      listener_stats_(setup.listener_stats) {
  time_.set_now(world_.now());
}

void SimWorker::close_all() {
  listener_.reset();
  pools_.close_all();
  context_.router = {};
}

void SimWorker::take(const server::WorkerPlan& plan,
                     std::shared_ptr<const config::Listener> listener) {
  if (!in_turn_) time_.set_now(world_.now());
  pools_.apply(plan.clusters);
  std::unordered_map<std::string_view, upstream::Cluster*> clusters;
  for (const upstream::ClusterPlan& upstream : plan.clusters) {
    clusters[upstream.cluster->name] = pools_.find(*upstream.cluster);
  }
  context_.router = LocalPtr(new exchange::Router(plan.snapshot, clusters));
  snapshot_ = plan.snapshot;
  if (!in_turn_) turn_.run();  // the first one comes before anything else
  if (listener_ == nullptr) {
    listener_ = std::make_unique<client::ClientListener>(context_, std::move(listener), count_,
                                                         listener_stats_);
  } else {
    listener_->apply(std::move(listener));
  }
  if (in_turn_) return;
  turn_.run();
  next_deadline_ = std::min(next_deadline_, timers_.next_deadline());
}

void SimWorker::drain() {
  draining_ = true;
  listener_->drain();
  pools_.close_idle();
  // What the kernel has queued is accepted and served (server::Port).
}

void SimWorker::connect(Link& link, const net::Address& peer) {
  if (draining_) {
    link.near().reset();  // nobody listens any more
    return;
  }
  backlog_.push_back({&link, peer});
}

void SimWorker::accept(const Caller& caller) {
  bool admitted = false;
  listener_->accept(caller.peer, [&](net::TransportHandler& handler) {
    admitted = true;
    auto transport = std::make_unique<SimTransport>(*caller.link, SimTransport::Stage::Open);
    transport->attach(ready_, handler);
    return std::unique_ptr<net::Transport>(std::move(transport));
  });
  if (!admitted) caller.link->near().close();
}

bool SimWorker::runnable() const {
  return in_turn_ || turn_.has_yielded() || !ready_.empty() || mailbox_.size() > 0 ||
         !backlog_.empty() || next_deadline_ <= world_.now();
}

void SimWorker::step() {
  if (!in_turn_) {
    in_turn_ = true;
    turn_.begin();
    time_.set_now(world_.now());
    // What epoll_wait() reports is what is there now; what comes during the turn waits for the next
    // one.
    callbacks_left_ = ready_.size() + mailbox_.size() + backlog_.size();
    if (callbacks_left_ > 1 && dice_.percent(30))
      callbacks_left_ = dice_.between(1, callbacks_left_);
  }
  const size_t here = ready_.size() + mailbox_.size() + backlog_.size();
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
    const Caller caller = backlog_.front();
    backlog_.pop_front();
    accept(caller);
  }
}

void SimWorker::end_turn() {
  timers_.advance(time_.now());
  turn_.run();
  in_turn_ = false;
  next_deadline_ = timers_.next_deadline();
}

}  // namespace berth::sim
