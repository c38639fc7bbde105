#include "tests/sim/simulation.h"

#include <algorithm>

#include "tests/sim/sim_acceptor.h"

#include "tests/unit/server/apply_snapshot.h"

namespace berth::sim {

namespace {

// A simulation that takes more steps than this goes round in circles. A body that moved byte by
// byte has needed 3.9 million.
constexpr uint64_t kMostSteps = 30'000'000;
// How long everything may take to end by itself once the clients are gone.
constexpr Duration kWindDown = 200s;

}  // namespace

Simulation::Simulation(World& of, const Scenario& played)
    : Site(of, played),
      dice_(of.dice().next()),
      spool_(of, played.spool),
      topology_(registry_, played.workers),
      invariants_(of, workers_),
      holder_check_(*this),
      memory_check_(*this),
      sender_(played.workers),
      listener_(std::make_shared<config::Listener>(played.listener)) {
  for (uint32_t i = 0; i < played.servers * played.upstreams; ++i) {
    servers_.emplace_back(*this, i, i < played.servers ? "app" : "web", played.server);
  }
  server::WorkerObserver& observer = *this;
  for (uint32_t i = 0; i < played.workers; ++i) {
    workers_.push_back(std::make_unique<SimWorker>(SimWorker::Setup{.world = of,
                                                                    .registry = registry_,
                                                                    .dialer = *this,
                                                                    .observer = observer,
                                                                    .index = i,
                                                                    .workers = played.workers,
                                                                    .sender = sender_}));
    workers_.back()->network().set_attach_failures(played.attach_failures);
    workers_.back()->mailbox().take_up_to(played.most_mail_delay);
    peers_.push_back(workers_.back()->core().peer());
  }
  for (const auto& worker : workers_) worker->core().set_peers(peers_);
  Dialer& dialer = *this;
  main_thread_ = std::make_unique<SimMainThread>(world, registry_, dialer, peers_, played.seed);
  reload();
  for (uint32_t i = 0; i < played.client.count; ++i) clients_.emplace_back(*this, i);
  for (uint32_t i = 0; i < played.http2_clients; ++i) http2_clients_.emplace_back(*this, i);
}

Simulation::~Simulation() {
  drop_workers();
}

void Simulation::drop_workers() {
  // As server::Server ends: every worker closes what it has, then the messages that nobody read go.
  for (const auto& worker : workers_) worker->close_all();
  for (const auto& worker : workers_) worker->mailbox().clear();
  clusters_.clear();
  if (main_thread_ != nullptr) main_thread_->close_all();
  while (!workers_.empty()) workers_.pop_back();
}

// --- The network.

void Simulation::call(Link& link, const std::string& ip) {
  const auto peer = net::Address::parse(ip + ":1234");
  SimWorker* worker = workers_[dice_.below(workers_.size())].get();
  world.after(link.delay(), [worker, peer, at = &link] { worker->connect(*at, *peer); });
}

std::unique_ptr<SimTransport> Simulation::dial(const net::Address& to, const net::TlsConnector* tls,
                                               CloseReason& failure) {
  const auto server = std::find_if(servers_.begin(), servers_.end(),
                                   [&](const ServerModel& s) { return s.address() == to; });
  const ConnectFate fate = server->fate();
  if (fate.kind == ConnectFate::Kind::FailsAtOnce) {
    failure = fate.reason;
    world.note("connect to %s fails at once", server->name().c_str());
    return nullptr;
  }
  if (scenario.calm()) invariants_.check_dial(to);
  Link& link = new_link(scenario.server_link);
  for (const auto& [connector, settings] : connectors_) {
    if (connector.get() == tls) link.tls = settings;
  }
  auto transport = std::make_unique<SimTransport>(link, SimTransport::Stage::Connecting);
  transport->observe(this);
  const bool away = away_and_waited_for(to);
  if (away) check_only_trial(to);
  dialled_.push_back({transport.get(), &*server, away});
  world.note("connect to %s: #%u", server->name().c_str(), link.serial());
  if (fate.kind == ConnectFate::Kind::Silence) return transport;
  world.after(fate.after + link.delay(), [this, fate, model = &*server, at = &link] {
    const auto still = std::find_if(dialled_.begin(), dialled_.end(),
                                    [&](const Dialled& d) { return &d.transport->link() == at; });
    if (still == dialled_.end()) return;  // the proxy has given up
    ConnectFate outcome = fate;
    if (!model->up()) outcome = {ConnectFate::Kind::Fails, CloseReason::ConnectRefused, {}};
    still->transport->connected(outcome);
    if (outcome.kind == ConnectFate::Kind::Stands) model->established(at->far());
  });
  return transport;
}

// Where nothing else connects to a server that is away: neither checks nor who will not wait.
bool Simulation::away_and_waited_for(const net::Address& server) const {
  const config::Upstream& upstream = scenario.upstream;
  if (!upstream.pool.wait_while_down || upstream.pool.queue_size == 0) return false;
  if (configurations > 1 || upstream.health.enabled) return false;
  for (const upstream::ClusterPlan& cluster : clusters_) {
    for (const auto& shared : cluster.servers) {
      if (shared->address == server) return shared->backoff.away() && shared->seen_alive();
    }
  }
  return false;
}

void Simulation::check_only_trial(const net::Address& server) {
  for (const Dialled& dialled : dialled_) {
    if (dialled.trial && dialled.server->address() == server && dialled.transport->connecting()) {
      world.fail("a server that is away is tried by two connections at a time");
    }
  }
}

void Simulation::on_transport_gone(SimTransport& transport) {
  std::erase_if(dialled_, [&](const Dialled& d) { return d.transport == &transport; });
}

uint32_t Simulation::connections_to(const net::Address& server) const {
  const uint32_t index = server.ip()[3] - 1U;
  uint32_t count = 0;
  for (const Dialled& dialled : dialled_) {
    if (dialled.server->index() == index && !dialled.transport->link().upgraded()) ++count;
  }
  return count;
}

ServerSockets::Count Simulation::open_at(const net::Address& server) {
  return servers_[server.ip()[3] - 1U].open_sockets();
}

// --- Configurations.

config::Upstream Simulation::draw_upstream(const std::string& name) {
  config::Upstream upstream = scenario.upstream;
  upstream.name = name;
  for (const ServerModel& server : servers_) {
    if (server.host() != name) continue;
    config::Server& configured = upstream.servers.emplace_back();
    configured.address = server.name();
    if (scenario.weighted) configured.weight = 1 + server.index() % 3;
  }
  if (scenario.backups && upstream.servers.size() > 1) upstream.servers.back().backup = true;
  if (scenario.tls) draw_upstream_tls(upstream);
  if (generation_ == 0) return upstream;
  // Some other servers, some other limits.
  auto& servers = upstream.servers;
  if (dice_.percent(60) && servers.size() > 1) {
    servers.erase(servers.begin() + static_cast<int64_t>(dice_.below(servers.size())));
  }
  config::Pool& pool = upstream.pool;
  if (dice_.percent(60)) pool.max_connections = static_cast<uint32_t>(dice_.between(1, 4));
  if (dice_.percent(20)) pool.max_idle = static_cast<uint32_t>(dice_.between(0, 2));
  pool.min_idle = std::min({pool.min_idle, pool.max_idle, pool.max_connections});
  if (dice_.percent(20)) pool.queue_size = static_cast<uint32_t>(dice_.between(0, 3));
  if (dice_.percent(20)) pool.keepalive_requests = static_cast<uint32_t>(dice_.between(1, 4));
  if (dice_.percent(20)) pool.max_upgraded = static_cast<uint32_t>(dice_.between(0, 2));
  if (scenario.seed % 8 == 0) upstream.ejection.enabled = !upstream.ejection.enabled;
  if (scenario.seed % 7 == 0) upstream.health.enabled = !upstream.health.enabled;
  if (ending_) {
    upstream.health.enabled = false;
    pool.min_idle = 0;
  }
  if (dice_.percent(20)) pool.keepalive_timeout = dice_.between(50ms, 6s);
  return upstream;
}

// Nobody looks at the certificates: what counts is that the settings are others.
void Simulation::draw_upstream_tls(config::Upstream& upstream) {
  constexpr const char* kNames[] = {"", "a", "b"};
  const std::string name = dice_.of(kNames);
  upstream.tls.enabled = !name.empty();
  upstream.tls.verify = false;
  upstream.tls.server_name = name;
  tls_eras[upstream.name].apply(name, world.now());
}

void Simulation::redraw_listener_tls() {
  constexpr const char* kNames[] = {"", "first", "second"};
  const std::string name = scenario.tls ? dice_.of(kNames) : "";
  acceptor_ = name.empty() ? nullptr : std::make_shared<const SimAcceptor>(name);
  listener_tls_eras.apply(name, world.now());
}

// After Topology has made them, or kept those that there were.
void Simulation::note_connectors() {
  for (const upstream::ClusterPlan& cluster : clusters_) {
    for (const auto& server : cluster.servers) {
      if (server->tls != nullptr) {
        connectors_.emplace(server->tls, cluster.settings->tls.server_name);
      }
    }
  }
}

// Other limits, for standing connections too: only such as the clients' own checks allow.
void Simulation::redraw_listener() {
  if (generation_ == 0 || !dice_.percent(40)) return;
  config::Listener listener = *listener_;
  if (dice_.percent(50)) {
    listener.keepalive_requests =
        std::min(listener.keepalive_requests, static_cast<uint32_t>(dice_.between(1, 6)));
  }
  if (dice_.percent(50)) listener.keepalive_timeout += dice_.between(0s, 5s);
  if (dice_.percent(30)) listener.keepalive_time = dice_.between(10ms, 5s);
  // (How long who crawls may hold a connection follows from it.)
  if (dice_.percent(50) && scenario.client.crawling == 0) {
    listener.send_timeout += dice_.between(0s, 5s);
  }
  listener_ = std::make_shared<const config::Listener>(std::move(listener));
}

void Simulation::note_who_left(const config::Config& config) {
  for (auto& [name, eras] : tls_eras) {
    const auto has_name = [at = &name](const config::Upstream& u) { return u.name == *at; };
    if (std::none_of(config.upstreams.begin(), config.upstreams.end(), has_name)) {
      eras.leave(world.now());
    }
  }
  for (auto& [name, limits] : pool_limits) {
    const auto has_it = [at = &name](const config::Upstream& upstream) {
      return std::any_of(upstream.servers.begin(), upstream.servers.end(),
                         [&](const config::Server& s) { return s.address.text() == *at; });
    };
    if (std::none_of(config.upstreams.begin(), config.upstreams.end(), has_it)) {
      limits.leave(world.now());
    }
  }
}

void Simulation::reload() {
  if (draining) return;  // as the server does
  redraw_listener();
  redraw_listener_tls();
  config::Config config;
  config.memory_budget = scenario.memory_budget;
  if (generation_ > 0 && scenario.memory_short() && dice_.percent(30)) config.memory_budget /= 2;
  for (const char* const name : {"app", "web"}) {
    if (std::string(name) == "web" &&
        (scenario.upstreams == 1 || (generation_ > 0 && dice_.percent(40)))) {
      continue;
    }
    config.upstreams.push_back(draw_upstream(name));
    for (const config::Server& server : config.upstreams.back().servers) {
      pool_limits[server.address.text()].apply(config.upstreams.back().pool, world.now());
    }
    config::Route& route = config.routes.emplace_back();
    route.host = name;
    route.upstream = name;
  }
  world.note("configuration %llu: %zu servers, %u connections each",
             static_cast<unsigned long long>(generation_ + 1), config.upstreams[0].servers.size(),
             config.upstreams[0].pool.max_connections);
  note_who_left(config);
  ++configurations;
  const auto snapshot = config::make_snapshot(std::move(config), ++generation_, "", {});
  std::vector<server::WorkerPlan> plans = server::apply_snapshot(topology_, snapshot).plans;
  for (server::WorkerPlan& plan : plans) plan.spool = &spool_;
  clusters_ = plans.front().clusters;
  note_connectors();
  invariants_.know(plans.front());
  main_thread_->apply(clusters_);
  for (size_t i = 0; i < workers_.size(); ++i) {
    const bool knows_it = generation_ > 1;
    plans[i].listeners.push_back(
        plan_listener(listener_, clients_open_, acceptor_,
                      knows_it ? nullptr : registry_.listener(listener_->name)));
    sender_ = workers_.size();
    workers_[i]->core().post_apply(std::move(plans[i]));
  }
}

// The process is told to stop.
void Simulation::drain() {
  world.note("the proxy drains");
  draining = true;
  for (const auto& worker : workers_) worker->core().post_drain();
}

void Simulation::on_worker_drained(uint32_t worker) {
  world.note("worker %u has drained", worker);
  ++drained_;
}

void Simulation::on_holder_ended(const upstream::SharedServer& server, const net::Address& client,
                                 Duration rested, bool upload) {
  const std::string ip = client.to_string().substr(0, client.to_string().rfind(':'));
  world.note("%s rested for %.3f s, and is ended", ip.c_str(), to_seconds(rested));
  ledger.rests_ended[ip] = world.now();
  if (server.cluster->queue.waiting() == 0) {
    world.fail("%s was ended for resting, and nobody waits", ip.c_str());
  }
  for (const ClientModel& model : clients_) {
    if (model.ip() == ip) model.check_rest(rested, upload);
  }
}

void Simulation::drain_by_hand() {
  const auto& servers = clusters_[dice_.below(clusters_.size())].servers;
  const auto& server = servers[dice_.below(servers.size())];
  main_thread_->set_draining(server, true);
  world.after(dice_.between(0ms, 2s), [this, weak = std::weak_ptr(server)] {
    const auto alive = weak.lock();
    if (alive != nullptr && !ending_) main_thread_->set_draining(alive, false);
  });
}

void Simulation::schedule_troubles() {
  const auto sometime = [this] { return dice_.between(0ms, scenario.spread + 3s); };
  for (uint32_t i = 0; i < scenario.reloads; ++i) {
    world.after(dice_.between(0ms, scenario.spread + scenario.reload_within), [this] { reload(); });
  }
  if (scenario.drained) world.after(sometime(), [this] { drain(); });
  for (uint32_t i = 0; i < scenario.restarts; ++i) {
    world.after(sometime(), [this] {
      servers_[dice_.below(servers_.size())].restart(dice_.between(0ms, 1500ms), dice_.percent(50));
    });
  }
  for (uint32_t i = 0; i < scenario.illnesses; ++i) {
    world.after(sometime(), [this] {
      servers_[dice_.below(servers_.size())].be_unwell(dice_.between(0ms, 5s));
    });
  }
  for (uint32_t i = 0; i < scenario.by_hand; ++i) {
    world.after(sometime(), [this] { drain_by_hand(); });
  }
  for (uint32_t i = 0; i < scenario.sleeps; ++i) {
    world.after(dice_.between(0ms, scenario.spread + scenario.sleep_within), [this] {
      servers_[dice_.below(servers_.size())].sleep(dice_.between(0ms, scenario.longest_sleep));
    });
  }
}

// --- Time and order.

bool Simulation::step_worker() {
  std::array<size_t, 8> runnable;
  size_t count = 0;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->runnable()) runnable[count++] = i;
  }
  if (main_thread_->runnable()) runnable[count++] = workers_.size();
  if (count == 0) return false;
  sender_ = runnable[dice_.below(count)];
  if (sender_ == workers_.size()) {
    main_thread_->step();
  } else {
    workers_[sender_]->step();
  }
  sender_ = workers_.size();
  return true;
}

bool Simulation::step() {
  ++steps_;
  if (world.anything_due() && dice_.percent(50)) {
    world.run_one();
    return true;
  }
  // A worker may be late: the outside goes on meanwhile.
  if (scenario.most_lag > Duration(0) && dice_.percent(60) &&
      world.next_event() != TimePoint::max() && world.next_event() <= lag_until_) {
    world.advance_to(world.next_event());
    world.run_one();
    return true;
  }
  if (step_worker()) return true;
  if (world.anything_due()) {
    world.run_one();
    return true;
  }
  return advance();
}

bool Simulation::advance() {
  TimePoint next = world.next_event();
  for (const auto& worker : workers_) next = std::min(next, worker->next_deadline());
  next = std::min(next, main_thread_->next_deadline());
  if (next == TimePoint::max()) return false;
  world.advance_to(next);
  lag_until_ = world.now() + scenario.most_lag;
  return true;
}

void Simulation::check() {
  memory_check_.look(clients_);
  if (!clusters_.empty()) holder_check_.look(servers_, clusters_[0].cluster->queue.waiting());
  for (const upstream::ClusterPlan& cluster : clusters_) {
    const std::string& host = cluster.cluster->name;
    if (alive_since.find(host) == alive_since.end() &&
        std::any_of(cluster.servers.begin(), cluster.servers.end(),
                    [](const auto& server) { return server->seen_alive(); })) {
      alive_since[host] = world.now();
    }
  }
  invariants_.check(*this);
  if (std::none_of(workers_.begin(), workers_.end(),
                   [](const auto& w) { return w->runnable() || !w->mailbox().empty(); }) &&
      !main_thread_->runnable())
    invariants_.check_quiet(*this);
}

bool Simulation::clients_done() const {
  return std::all_of(clients_.begin(), clients_.end(),
                     [](const ClientModel& c) { return c.done(); }) &&
         std::all_of(http2_clients_.begin(), http2_clients_.end(),
                     [](const Http2Client& c) { return c.done(); });
}

void Simulation::run() {
  for (ClientModel& client : clients_) client.start();
  for (Http2Client& client : http2_clients_) client.start();
  schedule_troubles();
  const uint64_t killed_at = scenario.killed ? dice_.between(1, 400) : UINT64_MAX;
  while (!world.failed() && !clients_done()) {
    if (steps_ >= killed_at) break;
    if (!step()) {
      const auto stuck = [this](const auto& client) {
        if (client.done()) return;
        world.fail("nothing will ever happen again, and a client is %s", client.describe().c_str());
      };
      for (const ClientModel& client : clients_) stuck(client);
      for (const Http2Client& client : http2_clients_) stuck(client);
      break;
    }
    check();
    if (steps_ > kMostSteps)
      world.fail("no end after %llu steps", static_cast<unsigned long long>(steps_));
  }
  if (world.failed()) return;
  if (scenario.killed) {
    drop_workers();
  } else {
    wind_down();
  }
  if (!world.failed()) invariants_.check_end(registry_);
  if (spool_.files() != 0 || spool_.bytes() != 0) world.fail("a file is still there");
  if (spool_.ever() > 0) ledger.count("body in a file");
}

// Without clients everything comes to its end by itself: idle connections by their timers.
void Simulation::wind_down() {
  // Health checks and warm connections would go on for ever.
  ending_ = true;
  if (scenario.upstream.health.enabled || scenario.upstream.pool.min_idle > 0 ||
      scenario.seed % 7 == 0) {
    reload();
    if (draining) {
      main_thread_->close_all();
      invariants_.process_ends();
    }
  }
  const TimePoint latest = world.now() + kWindDown;
  while (!world.failed() && world.now() < latest && step()) check();
  if (world.failed()) return;
  if (!dialled_.empty()) {
    world.fail("connection #%u to a server is still there",
               dialled_.front().transport->link().serial());
  }
  for (const auto& worker : workers_) {
    if (worker->left_over()) world.fail("a client connection, a timer or a task is still there");
  }
  if (draining && drained_ != workers_.size()) world.fail("a worker has not said that it drained");
}

Outcome simulate(const Scenario& scenario, bool trace) {
  World world(scenario.seed, trace);
  Outcome out;
  const size_t memory_before = net::buffered_memory();
  {
    Simulation simulation(world, scenario);
    simulation.run();
    out.counts = simulation.ledger.outcomes;
    out.steps = simulation.steps();
  }
  if (net::buffered_memory() != memory_before) world.fail("buffers were not given back");
  out.failure = world.failure();
  out.trace = world.trace();
  out.fingerprint = world.fingerprint();
  return out;
}

}  // namespace berth::sim
