#include "tests/sim/stage.h"

#include <algorithm>

#include "tests/unit/server/apply_snapshot.h"

namespace berth::sim {

Stage::Stage(uint32_t workers) : topology_(registry_, workers), sender_(workers) {
  upstream_.name = "app";
  upstream_.servers = {{"10.0.0.1:80"}};
  listener_.name = "front";
  listener_.address = "front";
  server::WorkerObserver& observer = *this;
  for (uint32_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<SimWorker>(SimWorker::Setup{.world = world_,
                                                                    .registry = registry_,
                                                                    .dialer = *this,
                                                                    .observer = observer,
                                                                    .index = i,
                                                                    .workers = workers,
                                                                    .sender = sender_}));
    peers_.push_back(workers_.back()->core().peer());
  }
  for (const auto& worker : workers_) worker->core().set_peers(peers_);
}

Stage::~Stage() {
  for (const auto& worker : workers_) worker->close_all();
  for (const auto& worker : workers_) worker->mailbox().clear();
}

void Stage::apply(const std::vector<uint32_t>& late) {
  config::Config config;
  config.upstreams.push_back(upstream_);
  config.routes.emplace_back().upstream = "app";
  plans_ = server::apply_snapshot(topology_,
                                  config::make_snapshot(std::move(config), ++generation_, "", {}))
               .plans;
  for (server::WorkerPlan& plan : plans_) plan.spool = &spool_;
  clusters_ = plans_.front().clusters;
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    if (std::find(late.begin(), late.end(), i) == late.end()) hand_out(i);
  }
  settle();
}

void Stage::apply_late() {
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->generation() != generation_) hand_out(i);
  }
  settle();
}

void Stage::hand_out(uint32_t worker) {
  const bool knows_it = !workers_[worker]->core().ports().empty();
  plans_[worker].listeners.push_back(
      plan_listener(std::make_shared<const config::Listener>(listener_), clients_open_, nullptr,
                    knows_it ? nullptr : registry_.listener(listener_.name)));
  workers_[worker]->core().post_apply(std::move(plans_[worker]));
}

std::unique_ptr<SimTransport> Stage::dial(const net::Address& to, const net::TlsConnector*,
                                          CloseReason&) {
  Link& link = links_.emplace_back(world_, static_cast<uint32_t>(links_.size()), LinkManners{});
  auto transport = std::make_unique<SimTransport>(link, SimTransport::Stage::Connecting);
  dialled_.push_back({&link, transport.get(), to});
  if (at_once_) transport->connected({});
  return transport;
}

void Stage::stand(size_t index) {
  dialled_[index].transport->connected({});
  settle();
}

void Stage::refuse(size_t index) {
  dialled_[index].transport->connected(
      {ConnectFate::Kind::Fails, CloseReason::ConnectRefused, Duration(0)});
  settle();
}

Stage::Peer Stage::call(uint32_t worker) {
  Link& link = links_.emplace_back(world_, static_cast<uint32_t>(links_.size()), LinkManners{});
  workers_[worker]->connect(link, *net::Address::parse("192.0.2.1:5000"));
  settle();
  return Peer{&link};
}

void Stage::Peer::say(std::string_view text) {
  bool error = false;
  end().write(text, error);
}

std::string Stage::Peer::hear() {
  std::string heard(end().unread());
  end().consume(heard.size());
  return heard;
}

void Stage::settle() {
  for (bool busy = true; busy;) {
    busy = false;
    // Segments arrive a nanosecond after each other.
    while (world_.next_event() <= world_.now() + 1us) {
      world_.advance_to(world_.next_event());
      world_.run_one();
      busy = true;
    }
    for (size_t i = 0; i < workers_.size(); ++i) {
      sender_ = i;
      while (workers_[i]->runnable()) {
        workers_[i]->step();
        busy = true;
      }
    }
    sender_ = workers_.size();
    busy = let_go() || busy;
  }
}

// As Node does it: what the proxy has shut down is closed.
bool Stage::let_go() {
  bool any = false;
  if (!lets_go_) return any;
  for (const Dialled& dialled : dialled_) {
    End& server = dialled.link->far();
    if (!dialled.link->given_up || !server.fin_arrived() || server.closed()) continue;
    server.close();
    any = true;
  }
  return any;
}

void Stage::pass(Duration time) {
  const TimePoint until = world_.now() + time;
  for (;;) {
    settle();
    TimePoint next = world_.next_event();
    for (const auto& worker : workers_) next = std::min(next, worker->next_deadline());
    if (next > until) break;
    world_.advance_to(next);
  }
  world_.advance_to(until);
  settle();
}

}  // namespace berth::sim
