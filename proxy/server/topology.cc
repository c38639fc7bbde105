#include "proxy/server/topology.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "proxy/config/setting_error.h"
#include "proxy/net/listener.h"

namespace berth::server {

namespace {

std::string setting_of(size_t listener) {
  return "listeners[" + std::to_string(listener) + "].address";
}

// SO_REUSEPORT would let a second process take every other connection without a word. So before our
// first sockets, one without it is bound.
void expect_free(const config::Endpoint& endpoint) {
  const net::Address address = net::Address::of(endpoint);
  if (address.kind() == net::AddressKind::Unix || address.kind() == net::AddressKind::None) return;
  const UniqueFd probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno == EADDRINUSE) {
    throw std::runtime_error("cannot listen on " + address.to_string() +
                             ": Address already in use (another process listens there)");
  }
}

UniqueFd open_socket(net::Address& address, const config::Listener& listener) {
  const int backlog = static_cast<int>(listener.backlog);
  try {
    return net::listen_on(address, backlog, listener.unix_mode);
  } catch (const std::runtime_error&) {
    // ":8080" on a machine without IPv6.
    if (!listener.address.is(config::AddressKind::AnyHost)) throw;
    constexpr uint8_t kAny[4] = {};
    address = net::Address::from_ip(net::AddressKind::V4, kAny, address.port());
    return net::listen_on(address, backlog, listener.unix_mode);
  }
}

}  // namespace

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat made {};
  if (::stat(path_.c_str(), &made) != 0) path_.clear();
  device_ = made.st_dev;
  inode_ = made.st_ino;
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

SocketFile::~SocketFile() {
  if (is_ours()) ::unlink(path_.c_str());
}

bool SocketFile::is_ours() const {
  struct stat there {};
  return !path_.empty() && ::stat(path_.c_str(), &there) == 0 && there.st_dev == device_ &&
         there.st_ino == inode_;
}

bool SocketFile::set_mode(uint32_t mode) const {
  return is_ours() && ::chmod(path_.c_str(), mode) == 0;
}

// --- Listeners

Topology::OpenListener Topology::open(const config::Listener& listener) const {
  net::Address address = net::Address::of(listener.address);
  if (address.kind() == net::AddressKind::None) {
    throw std::runtime_error("cannot listen on '" + listener.address.text() + "'");
  }
  OpenListener out;
  out.fds.push_back(open_socket(address, listener));
  out.unix_mode = listener.unix_mode;
  if (address.kind() == net::AddressKind::Unix) {
    // One socket for all workers: Unix sockets know no SO_REUSEPORT.
    while (out.fds.size() < workers_) {
      out.fds.emplace_back(::fcntl(out.fds.front().get(), F_DUPFD_CLOEXEC, 0));
    }
    out.address = address.to_string();
    out.file = SocketFile(out.address.substr(std::string_view("unix:").size()));
    return out;
  }
  // Port 0: all workers share the port that the first one got.
  const net::Address bound = net::Address::of_socket(out.fds.front().get());
  while (out.fds.size() < workers_) {
    out.fds.push_back(
        net::listen_on(bound, static_cast<int>(listener.backlog), listener.unix_mode));
  }
  out.address = bound.to_string();
  return out;
}

Topology::Sockets Topology::open_new(const config::Config& config) const {
  const std::vector<std::string> keys = listener_keys(config);
  const auto each = [&](auto&& visit) {
    for (size_t i = 0; i < config.listeners.size(); ++i) {
      config::about_setting(setting_of(i), [&] { visit(config.listeners[i], keys[i]); });
    }
  };
  if (listeners_.empty()) {
    each([](const config::Listener& listener, const auto&) { expect_free(listener.address); });
  }
  Sockets opened;
  each([&](const config::Listener& listener, const std::string& key) {
    if (!listeners_.contains(key)) opened[key] = open(listener);
  });
  return opened;
}

// Those that stay and are called otherwise from now on: their counters go on under the new label.
void Topology::rename_listeners(const config::Config& config) {
  std::vector<stats::ListenerRename> renames;
  const std::vector<std::string> keys = listener_keys(config);
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string& name = config.listeners[i].name;
    const auto known = listeners_.find(keys[i]);
    if (known == listeners_.end() || known->second.name == name) continue;
    renames.push_back({.from = known->second.name, .to = name});
  }
  registry_.rename_listeners(renames);
}

// The listeners of the snapshot from now on: `opened`, and those that are open already.
void Topology::take_over(Sockets opened, std::vector<WorkerPlan>& plans, ReloadReport& report) {
  Sockets listeners;
  listening_.clear();
  const std::vector<std::string> keys = listener_keys(snapshot_->config);
  for (size_t i = 0; i < keys.size(); ++i) {
    const config::Listener& listener = snapshot_->config.listeners[i];
    const std::string& key = keys[i];
    const bool is_new = opened.contains(key);
    OpenListener& entry = listeners[key];
    entry = std::move(is_new ? opened[key] : listeners_[key]);
    entry.name = listener.name;
    const bool is_file = listener.address.is(config::AddressKind::Unix);
    if (is_file && entry.unix_mode != listener.unix_mode) {
      if (!entry.file.set_mode(listener.unix_mode)) {
        report.problems.push_back("unix_mode of " + listener.address.text() +
                                  " stays as it was: the socket's file is not ours any more");
      }
      entry.unix_mode = listener.unix_mode;
    }
    listening_.push_back(entry.address);
    for (uint32_t worker = 0; worker < workers_; ++worker) {
      plans[worker].listeners.push_back(
          {.key = key,
           .settings = std::shared_ptr<const config::Listener>(snapshot_, &listener),
           .count = entry.count,
           .tls = tls_->server(i),
           .fd = is_new ? std::move(entry.fds[worker]) : UniqueFd(),
           .stats = is_new ? registry_.listener(listener.name) : nullptr});
    }
    entry.fds.clear();
  }
  listeners_ = std::move(listeners);
}

// --- The whole

Applied Topology::apply(config::SnapshotPtr snapshot, const AddressTable& addresses,
                        TlsPlanPtr tls) {
  // First everything that can fail.
  Sockets opened = open_new(snapshot->config);
  rename_listeners(snapshot->config);
  snapshot_ = std::move(snapshot);
  tls_ = std::move(tls);
  Inventory next = take_inventory(snapshot_->config, addresses, *tls_);
  Applied out;
  out.report = compare(inventory_, next);
  inventory_ = std::move(next);
  out.plans = plan(addresses);
  take_over(std::move(opened), out.plans, out.report);
  return out;
}

std::vector<WorkerPlan> Topology::move_servers(const AddressTable& addresses) {
  inventory_ = take_inventory(snapshot_->config, addresses, *tls_);
  std::vector<WorkerPlan> plans = plan(addresses);
  ReloadReport nothing;
  take_over({}, plans, nothing);
  return plans;
}

std::vector<WorkerPlan> Topology::plan(const AddressTable& addresses) {
  const std::vector<upstream::ClusterPlan> clusters = plan_clusters(addresses);
  std::vector<WorkerPlan> plans(workers_);
  for (WorkerPlan& plan : plans) {
    plan.snapshot = snapshot_;
    plan.clusters = clusters;
  }
  return plans;
}

// --- Upstreams

std::vector<upstream::ClusterPlan> Topology::plan_clusters(const AddressTable& addresses) {
  const auto nobody_uses = [](const auto& entry) { return entry.second.expired(); };
  std::erase_if(clusters_, nobody_uses);
  std::erase_if(servers_, nobody_uses);
  std::erase_if(bounds_, nobody_uses);
  std::vector<upstream::ClusterPlan> plans;
  std::set<const void*> named;
  queue_facts_.clear();
  for (size_t i = 0; i < snapshot_->config.upstreams.size(); ++i) {
    const config::Upstream& settings = snapshot_->config.upstreams[i];
    const std::shared_ptr<upstream::SharedCluster> cluster = share_cluster(settings);
    named.insert(cluster.get());
    upstream::ClusterPlan& plan = plans.emplace_back();
    plan.cluster = cluster;
    plan.settings = std::shared_ptr<const config::Upstream>(snapshot_, &settings);
    for (const config::Server& server : settings.servers) {
      for (const ServerAddress& at : servers_of(addresses.at(server.address.text()))) {
        const auto same = [&](const auto& known) { return known->address == at.address; };
        // Named twice, it still has one bound.
        if (std::any_of(plan.servers.begin(), plan.servers.end(), same)) continue;
        plan.servers.push_back(share_server(cluster, i, server, at));
        named.insert(plan.servers.back().get());
      }
    }
  }
  retire_all_but(named);
  return plans;
}

void Topology::retire_all_but(const std::set<const void*>& named) {
  for (auto& [name, cluster] : clusters_) {
    if (auto alive = cluster.lock(); alive && !named.contains(alive.get())) alive->retired = true;
  }
  for (auto& [key, server] : servers_) {
    if (auto alive = server.lock(); alive && !named.contains(alive.get())) alive->retired = true;
  }
}

std::shared_ptr<upstream::SharedCluster> Topology::share_cluster(const config::Upstream& settings) {
  std::weak_ptr<upstream::SharedCluster>& known = clusters_[settings.name];
  std::shared_ptr<upstream::SharedCluster> cluster = known.lock();
  if (cluster == nullptr) {
    cluster = std::make_shared<upstream::SharedCluster>();
    cluster->name = settings.name;
    known = cluster;
  }
  cluster->retired.store(false, std::memory_order_relaxed);
  queue_facts_.push_back(registry_.queue_facts(settings.name));
  queue_facts_.back()->limit.store(settings.pool.queue_size, std::memory_order_relaxed);
  return cluster;
}

std::shared_ptr<upstream::ServerBound> Topology::share_bound(const ServerKey& key) {
  std::weak_ptr<upstream::ServerBound>& known = bounds_[key];
  std::shared_ptr<upstream::ServerBound> bound = known.lock();
  if (bound == nullptr) {
    bound = std::make_shared<upstream::ServerBound>(registry_.server_facts(key.first, key.second));
    known = bound;
  }
  return bound;
}

// The same object for the same server, as long as anybody uses it: its bound counts what is still
// draining. Connections with different TLS settings never mix: to servers, they are different
// servers.
std::shared_ptr<upstream::SharedServer> Topology::share_server(
    const std::shared_ptr<upstream::SharedCluster>& cluster, size_t upstream,
    const config::Server& configured, const ServerAddress& at) {
  const config::Upstream& settings = snapshot_->config.upstreams[upstream];
  const std::string text = at.address.to_string();
  const bool two = at.other.kind() != net::AddressKind::None;
  const std::string both = two ? text + " " + at.other.to_string() : text;
  std::weak_ptr<upstream::SharedServer>& known =
      servers_[{settings.name, both + " " + tls_->identity(upstream, configured)}];
  std::shared_ptr<upstream::SharedServer> server = known.lock();
  if (server == nullptr) {
    server = std::make_shared<upstream::SharedServer>(cluster, at.address, workers_,
                                                      share_bound({settings.name, text}),
                                                      tls_->connector(upstream, configured));
    if (two) server->other = std::make_unique<net::OtherAddress>(at.other);
    known = server;
  }
  server->configured = configured.address.text();
  server->weight.store(configured.weight, std::memory_order_relaxed);
  server->backup.store(configured.backup, std::memory_order_relaxed);
  // Drained by hand, gone, and here again: in service.
  if (server->retired.exchange(false, std::memory_order_relaxed)) {
    server->states.clear(upstream::Availability::Draining);
  }
  server->slots.set_limit(settings.pool.max_connections);
  server->upgraded.set_limit(settings.pool.max_upgraded);
  server->facts.connections_limit.store(settings.pool.max_connections, std::memory_order_relaxed);
  return server;
}

}  // namespace berth::server
