#include "proxy/server/server.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <sstream>
#include <stdexcept>
#include <thread>

#include "proxy/config/printer.h"
#include "proxy/config/setting_error.h"
#include "proxy/config/units.h"
#include "proxy/exchange/via.h"
#include "proxy/server/log.h"
#include "proxy/server/log_writer.h"
#include "proxy/server/version.h"

namespace berth::server {

namespace {

uint32_t worker_count(const config::Config& config) {
  if (config.workers != 0) return config.workers;
  return std::max(1U, std::thread::hardware_concurrency());
}

uint64_t random_seed() {
  uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    seed = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return seed;
}

// As many file descriptors as we may have.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

stats::ConfiguredLabels labels_of(const config::Config& config,
                                  const std::vector<upstream::ClusterPlan>& clusters) {
  stats::ConfiguredLabels labels;
  for (const config::Listener& listener : config.listeners)
    labels.listeners.push_back(listener.name);
  for (const config::Route& route : config.routes) labels.routes.push_back(route.host + route.path);
  for (const upstream::ClusterPlan& cluster : clusters) {
    labels.upstreams.push_back(cluster.cluster->name);
    for (const auto& server : cluster.servers) {
      labels.servers.emplace_back(cluster.cluster->name, std::string(server->name()));
    }
  }
  return labels;
}

std::string full_name(const upstream::SharedServer& server) {
  return server.cluster->name + "/" + server.name();
}

}  // namespace

class WorkerDrainedMessage final : public event::Message {
 public:
  explicit WorkerDrainedMessage(Server& server) : server_(server) {}
  void deliver() override {
    if (++server_.drained_ == server_.workers_.size()) server_.loop_.stop();
  }

 private:
  Server& server_;
};

class WorkersReadyMessage final : public event::Message {
 public:
  explicit WorkersReadyMessage(Server& server) : server_(server) {}
  void deliver() override { server_.announce(); }

 private:
  Server& server_;
};

Server::Server(const Run& command, Loaded loaded, std::shared_ptr<net::TicketKeys> ticket_keys)
    : command_(command),
      ticket_keys_(std::move(ticket_keys)),
      snapshot_(config::make_snapshot(std::move(*loaded.result.config), 1, command.file,
                                      std::chrono::system_clock::now())),
      collector_(registry_, procfs_, server::version()),
      network_(loop_),
      random_(random_seed()),
      env_{loop_.runtime(), network_, scratch_, random_, 0},
      health_checker_(env_, registry_, *this),
      spool_(registry_.spool(), [](const std::string& line) { log_warn("spool", line); }),
      names_(loop_, registry_.process(), *this),
      delay_timer_(*this),
      grace_timer_(*this),
      ticket_keys_timer_(*this),
      started_(loop_.runtime().now()) {
  raise_file_limit();
  const event::BlockedSignals signals_are_ours({SIGHUP, SIGTERM, SIGINT, SIGUSR1});
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is an error like any other

  // Before the admin listener, whose metrics are collected on a thread of its own.
  registry_.process().buffered_memory = net::buffered_memory;
  registry_.process().lost_log_lines = lost_log_lines;
  const config::Config& settings = snapshot_->config;
  config::about_setting("access_log.path",
                        [&] { access_log_ = std::make_unique<AccessLog>(settings.access_log); });
  const uint32_t count = worker_count(settings);
  topology_ = std::make_unique<Topology>(registry_, count);
  uint64_t seed = random_seed();
  const std::string instance = exchange::make_instance_name(random_);
  for (uint32_t i = 0; i < count; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(i, registry_, *access_log_, *this, seed += i + 1, instance));
    peers_.push_back(workers_.back()->peer());
  }
  if (!settings.admin.address.empty()) {
    config::about_setting("admin.address", [&] {
      admin_ = std::make_unique<AdminServer>(loop_.base(), settings.admin.address, *this);
    });
  }
  spool_.configure(settings.spool, config::about_setting("spool.path", [&] {
                     return find_spool_folder(settings.spool);
                   }));
  put_in_effect(snapshot_, std::move(loaded.tls), names_.resolve_at_start(settings));
  loop_.runtime().arm(ticket_keys_timer_, net::TicketKeys::kPeriod);
  for (const auto& worker : workers_) worker->start(peers_);
  event::SignalHandler& handler = *this;
  signals_.reset(new event::Signals(loop_, handler, {SIGHUP, SIGTERM, SIGINT, SIGUSR1}));
}

Server::~Server() {
  signals_.reset();
  // All threads end before any of them is destroyed: they post to each other.
  for (const auto& worker : workers_) worker->join();
  workers_.clear();
  // A health check that ends from here on has nobody to tell.
  peers_.clear();
}

int Server::run() {
  loop_.run();
  log_info("stop", "stopped");
  return 0;
}

ReloadReport Server::put_in_effect(config::SnapshotPtr snapshot, TlsPlanPtr tls,
                                   AddressTable addresses) {
  Applied applied = topology_->apply(snapshot, addresses, std::move(tls));
  snapshot_ = std::move(snapshot);
  registry_.process().last_reload_success_ms.set(wall_ms());
  registry_.process().memory_budget.set(static_cast<int64_t>(snapshot_->config.memory_budget));
  hand_out(std::move(applied.plans));
  names_.follow(snapshot_->config, std::move(addresses));
  return std::move(applied.report);
}

void Server::hand_out(std::vector<WorkerPlan> plans) {
  clusters_ = plans.front().clusters;
  registry_.retain(labels_of(snapshot_->config, clusters_));
  health_checker_.apply(clusters_);
  for (size_t i = 0; i < workers_.size(); ++i) {
    plans[i].spool = &spool_;
    workers_[i]->apply(std::move(plans[i]));
  }
}

void Server::on_names_changed() {
  if (!stopping_) hand_out(topology_->move_servers(names_.table()));
}

void Server::announce() const {
  std::string addresses;
  for (const std::string& address : topology_->listening()) {
    addresses += (addresses.empty() ? "" : ", ") + address;
  }
  log_info("start", "berth ", server::version(), " listens on ", addresses, " with ",
           workers_.size(), workers_.size() == 1 ? " worker" : " workers",
           admin_ ? "; admin on " + admin_->address() : std::string("; no admin listener"));
}

// --- Signals.

void Server::on_signal(int number) {
  switch (number) {
    case SIGHUP:
      reload();
      return;
    case SIGUSR1:
      access_log_->reopen();
      log_info("log", "reopened");
      return;
    case SIGINT:  // somebody at a terminal, who is not to wait
      shut_down(Duration::zero());
      return;
    default:
      shut_down(snapshot_->config.shutdown.delay);
      return;
  }
}

void Server::reload() {
  if (stopping_) return;
  if (command_.file.empty()) {
    reload_rejected({"started from flags: there is no file to read again"});
    return;
  }
  Loaded loaded = load(command_, ticket_keys_);
  std::vector<config::Diagnostic>& diagnostics = loaded.result.diagnostics;
  if (!loaded.result.ok()) {
    std::erase_if(diagnostics, [](const auto& one) { return one.level != config::Level::Error; });
    reload_rejected(lines_of(command_, diagnostics));
    return;
  }
  std::vector<std::string> warnings = lines_of(command_, diagnostics);
  const config::Places places = std::move(loaded.result.places);
  ReloadReport report;
  try {
    // All that can fail comes before anything changes.
    UniqueFd log_file = config::about_setting(
        "access_log.path", [&] { return access_log_->open_for(loaded.result.config->access_log); });
    std::string spool_folder = config::about_setting(
        "spool.path", [&] { return find_spool_folder(loaded.result.config->spool); });
    AddressTable addresses = names_.resolve(*loaded.result.config);
    report = put_in_effect(
        config::make_snapshot(std::move(*loaded.result.config), snapshot_->generation + 1,
                              command_.file, std::chrono::system_clock::now()),
        std::move(loaded.tls), std::move(addresses));
    spool_.configure(snapshot_->config.spool, std::move(spool_folder));
    access_log_->configure(snapshot_->config.access_log, std::move(log_file));
  } catch (const config::SettingError& error) {
    reload_rejected({line_of(command_, places, error)});
    return;
  } catch (const std::runtime_error& error) {
    reload_rejected({error.what()});
    return;
  }
  report.problems.insert(report.problems.begin(), warnings.begin(), warnings.end());
  reload_succeeded(std::move(report));
}

ReloadOutcome Server::reload_now() {
  if (stopping_) return {.ok = false, .errors = {"Berth is stopping"}, .report = {}, .time_ms = 0};
  reload();
  return *last_reload_;
}

void Server::reload_rejected(std::vector<std::string> problems) {
  registry_.process().config_reloads[stats::ReloadResult::Failure].add();
  for (const std::string& problem : problems) {
    log_error("reload", "rejected, the previous configuration stays in effect: ", problem);
  }
  last_reload_ =
      ReloadOutcome{.ok = false, .errors = std::move(problems), .report = {}, .time_ms = wall_ms()};
}

void Server::reload_succeeded(ReloadReport report) {
  stats::ProcessStats& process = registry_.process();
  process.config_reloads[stats::ReloadResult::Success].add();
  for (size_t i = 0; i < stats::kPoolActions; ++i) {
    const auto action = static_cast<stats::PoolAction>(i);
    process.reload_pools[action].add(count(report.servers, action));
  }
  log_info("reload", to_string(report));
  for (const std::string& news : certificate_news(report)) log_info("reload", news);
  for (const std::string& problem : report.problems) log_warn("reload", problem);
  for (const std::string& note : restart_notes(report)) log_warn("reload", note);
  last_reload_ =
      ReloadOutcome{.ok = true, .errors = {}, .report = std::move(report), .time_ms = wall_ms()};
}

void Server::shut_down(Duration delay) {
  if (stopping_) {
    log_info("stop", "asked twice: stopping at once");
    loop_.stop();
    return;
  }
  stopping_ = true;
  if (delay == Duration::zero()) {
    drain();
    return;
  }
  log_info("stop", "connections are still served for ", to_seconds(delay),
           " s, and told to go (shutdown.delay)");
  loop_.runtime().arm(delay_timer_, delay);
  for (const auto& worker : workers_) worker->announce_end();
}

void Server::drain() {
  const Duration grace = snapshot_->config.shutdown.grace;
  log_info("stop", "draining for up to ", to_seconds(grace), " s");
  loop_.runtime().arm(grace_timer_, grace);
  for (const auto& worker : workers_) worker->drain();
}

void Server::on_timer(event::Timer& timer) {
  if (&timer == &ticket_keys_timer_) {
    ticket_keys_->rotate();
    loop_.runtime().arm(timer, net::TicketKeys::kPeriod);
  } else if (&timer == &delay_timer_) {
    drain();
  } else {
    log_warn("stop", "shutdown.grace is over: closing what is left");
    loop_.stop();
  }
}

// --- What the health checks find.

void Server::on_health(const std::shared_ptr<upstream::SharedServer>& server, bool healthy,
                       std::string_view why) {
  const std::string name = full_name(*server);
  if (healthy) {
    log_info("health", name, " is healthy again");
  } else {
    log_warn("health", name, " is unhealthy: ", why);
  }
  upstream::tell_all(peers_, server);
}

void Server::on_room(const std::shared_ptr<upstream::SharedServer>& server) {
  upstream::tell_all(peers_, server);
}

// --- What the admin pages and the workers ask.

void Server::on_worker_ready(uint32_t) {
  if (ready_.fetch_add(1, std::memory_order_relaxed) + 1 == workers_.size()) {
    loop_.post(std::make_unique<WorkersReadyMessage>(*this));
  }
}

void Server::on_worker_drained(uint32_t) {
  loop_.post(std::make_unique<WorkerDrainedMessage>(*this));
}

void Server::on_trouble(const upstream::SharedServer& server, CloseReason reason,
                        std::string_view detail) {
  log_warn("server", full_name(server), " fails: ", info(reason).text,
           detail.empty() ? std::string_view() : ": ", detail);
}

void Server::on_trouble_over(const upstream::SharedServer& server) {
  log_info("server", full_name(server), " answers again");
}

void Server::on_ejected(const upstream::SharedServer& server, Duration out_for, uint32_t errors) {
  log_warn("ejection", full_name(server), " is ejected for ", config::format_duration(out_for),
           ": ", errors, errors == 1 ? " error" : " errors in a row");
}

void Server::on_ejection_over(const upstream::SharedServer& server) {
  log_info("ejection", full_name(server), " is back");
}

void Server::on_low_idle_limit(const upstream::SharedServer& server, Duration closes_after,
                               Duration limit) {
  log_warn("keepalive", full_name(server), " closes idle connections after ",
           config::format_duration(closes_after), ": they are not reused after ",
           config::format_duration(limit),
           ", so many requests open a connection; a longer keep-alive timeout helps");
}

// At most one a second. (The metric counts them all.)
void Server::on_holder_ended(const upstream::SharedServer& server, const net::Address& client,
                             Duration rested, bool upload) {
  if (!holder_lines_.admit(std::chrono::steady_clock::now())) return;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(rested);
  log_warn("pool", full_name(server), ": others wait, so a request of ", client.to_string(),
           " was ended that held a connection and moved nothing for ", config::format_duration(ms),
           upload ? ": its body did not come" : ": its response was not read");
}

void Server::on_memory_short(uint64_t losses, const std::string& client) {
  log_warn("memory", "memory_budget, or a client's share of it, is used up: ", losses,
           " requests or connections were ended, the last of ", client);
}

std::string Server::version() const {
  return server::version();
}

Readiness Server::readiness() const {
  if (stopping_) return Readiness::Draining;
  return ready_.load(std::memory_order_relaxed) >= workers_.size() ? Readiness::Ready
                                                                   : Readiness::Starting;
}

Duration Server::uptime() const {
  return std::chrono::steady_clock::now() - started_;
}

std::vector<std::string> Server::set_draining(std::string_view server, std::string_view upstream,
                                              bool draining) {
  const auto address = net::Address::parse(server);
  std::vector<std::string> found;
  for (const upstream::ClusterPlan& cluster : clusters_) {
    if (!upstream.empty() && cluster.cluster->name != upstream) continue;
    for (const std::shared_ptr<upstream::SharedServer>& one : cluster.servers) {
      const bool meant = one->configured == server ||
                         (address && (one->address == *address ||
                                      (one->other != nullptr && one->other->address == *address)));
      if (!meant) continue;
      found.push_back(cluster.cluster->name + "/" + one->name());
      upstream::ServerStates& states = one->states;
      const bool news = draining ? states.set(upstream::Availability::Draining)
                                 : states.clear(upstream::Availability::Draining);
      if (!news) continue;
      if (!draining) one->came_up(loop_.runtime().now());
      log_info("drain", found.back(),
               draining ? " drains: no new requests" : " is back in service");
      upstream::tell_all(peers_, one);
    }
  }
  return found;
}

std::string Server::effective_config() const {
  return config::print(snapshot_->config);
}

}  // namespace berth::server
