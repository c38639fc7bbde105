#include "proxy/server/topology.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <stdexcept>
#include <utility>

#include "proxy/net/listener.h"

namespace berth::server {

namespace {

// SO_REUSEPORT would let a second process take every other connection without a word. So before our
// first sockets, one without it is bound.
void expect_free(const std::string& text) {
  const auto parsed = net::Address::parse_listen(text);
  if (!parsed || parsed->kind() == net::AddressKind::Unix) return;
  const net::Address& address = *parsed;
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

UniqueFd open_socket(const std::string& text, net::Address& address,
                     const config::Listener& listener) {
  const int backlog = static_cast<int>(listener.backlog);
  try {
    return net::listen_on(address, backlog, listener.unix_mode);
  } catch (const std::runtime_error&) {
    // ":8080" on a machine without IPv6.
    if (!text.starts_with(':')) throw;
    const auto v4 = net::Address::parse("0.0.0.0" + text);
    if (!v4) throw;
    UniqueFd fd = net::listen_on(*v4, backlog, listener.unix_mode);
    address = *v4;
    return fd;
  }
}

// The same for every spelling of an address.
std::string listener_key(const config::Listener& listener) {
  const auto address = net::Address::parse_listen(listener.address);
  if (!address) throw std::runtime_error("cannot listen on '" + listener.address + "'");
  return address->to_string();
}

// A name with several addresses is several servers, each under its own.
std::string server_name(const config::Server& server, const std::vector<net::Address>& found,
                        const net::Address& address) {
  return found.size() == 1 ? server.address : address.to_string();
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
  struct stat there {};
  if (path_.empty() || ::stat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
}

Topology::OpenListener Topology::open(const config::Listener& listener) const {
  auto address = net::Address::parse_listen(listener.address);
  if (!address) throw std::runtime_error("cannot listen on '" + listener.address + "'");
  OpenListener out;
  out.fds.push_back(open_socket(listener.address, *address, listener));
  if (address->kind() == net::AddressKind::Unix) {
    // One socket for all workers: Unix sockets know no SO_REUSEPORT.
    while (out.fds.size() < workers_) {
      out.fds.emplace_back(::fcntl(out.fds.front().get(), F_DUPFD_CLOEXEC, 0));
    }
    out.address = address->to_string();
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

std::vector<WorkerPlan> Topology::apply(const config::SnapshotPtr& snapshot) {
  AddressTable addresses;
  for (const config::Upstream& upstream : snapshot->config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      addresses[server.address] = net::resolve(server.address);
    }
  }
  return apply(snapshot, addresses);
}

std::vector<WorkerPlan> Topology::apply(const config::SnapshotPtr& snapshot,
                                        const AddressTable& addresses) {
  const config::Config& config = snapshot->config;
  // First everything that can fail.
  const TlsPlan tls(config, ticket_keys_);
  if (listeners_.empty()) {
    for (const config::Listener& listener : config.listeners) expect_free(listener.address);
  }
  Sockets opened;
  for (const config::Listener& listener : config.listeners) {
    const std::string key = listener_key(listener);
    if (!listeners_.contains(key)) opened[key] = open(listener);
  }

  rename(config, addresses, tls);
  std::vector<WorkerPlan> plans(workers_);
  const std::vector<upstream::ClusterPlan> clusters = plan_clusters(snapshot, addresses, tls);
  Sockets listeners;
  listening_.clear();
  for (const config::Listener& listener : config.listeners) {
    const std::string key = listener_key(listener);
    const bool is_new = opened.contains(key);
    OpenListener& entry = listeners[key];
    entry = std::move(is_new ? opened[key] : listeners_[key]);
    entry.name = listener.name;
    listening_.push_back(entry.address);
    for (uint32_t worker = 0; worker < workers_; ++worker) {
      plans[worker].listeners.push_back(
          {.key = key,
           .settings = std::shared_ptr<const config::Listener>(snapshot, &listener),
           .count = entry.count,
           .tls = tls.server(listener),
           .fd = is_new ? std::move(entry.fds[worker]) : UniqueFd(),
           .stats = is_new ? registry_.listener(listener.name) : nullptr});
    }
    entry.fds.clear();
  }
  listeners_ = std::move(listeners);
  for (WorkerPlan& plan : plans) {
    plan.snapshot = snapshot;
    plan.clusters = clusters;
  }
  return plans;
}

std::vector<upstream::ClusterPlan> Topology::plan_clusters(const config::SnapshotPtr& snapshot,
                                                           const AddressTable& addresses,
                                                           const TlsPlan& tls) {
  const auto nobody_uses = [](const auto& entry) { return entry.second.expired(); };
  std::erase_if(clusters_, nobody_uses);
  std::erase_if(servers_, nobody_uses);
  std::erase_if(bounds_, nobody_uses);
  std::vector<upstream::ClusterPlan> plans;
  std::set<const void*> named;
  queue_facts_.clear();
  for (const config::Upstream& settings : snapshot->config.upstreams) {
    std::weak_ptr<upstream::SharedCluster>& known = clusters_[settings.name];
    std::shared_ptr<upstream::SharedCluster> cluster = known.lock();
    if (cluster == nullptr) {
      cluster = std::make_shared<upstream::SharedCluster>();
      cluster->name = settings.name;
      known = cluster;
    }
    cluster->retired.store(false, std::memory_order_relaxed);
    named.insert(cluster.get());
    queue_facts_.push_back(registry_.queue_facts(settings.name));
    queue_facts_.back()->limit.store(settings.pool.queue_size, std::memory_order_relaxed);

    upstream::ClusterPlan& plan = plans.emplace_back();
    plan.cluster = cluster;
    plan.settings = std::shared_ptr<const config::Upstream>(snapshot, &settings);
    for (const config::Server& server : settings.servers) {
      const std::vector<net::Address>& found = addresses.at(server.address);
      for (const net::Address& address : found) {
        const auto same = [&](const auto& other) { return other->address == address; };
        // Named twice, it still has one bound.
        if (std::any_of(plan.servers.begin(), plan.servers.end(), same)) continue;
        plan.servers.push_back(share_server(cluster, settings, server,
                                            server_name(server, found, address), address, tls));
        named.insert(plan.servers.back().get());
      }
    }
  }
  for (auto& [name, cluster] : clusters_) {
    if (auto alive = cluster.lock(); alive && !named.contains(alive.get())) alive->retired = true;
  }
  for (auto& [key, server] : servers_) {
    if (auto alive = server.lock(); alive && !named.contains(alive.get())) alive->retired = true;
  }
  return plans;
}

// Listeners and servers that stay and are called otherwise from now on: their counters go on under
// the new label.
void Topology::rename(const config::Config& config, const AddressTable& addresses,
                      const TlsPlan& tls) {
  stats::Renames renames;
  for (const config::Listener& listener : config.listeners) {
    const auto known = listeners_.find(listener_key(listener));
    if (known == listeners_.end() || known->second.name == listener.name) continue;
    renames.listeners.push_back({.from = known->second.name, .to = listener.name});
  }
  for (const config::Upstream& upstream : config.upstreams) {
    std::set<const void*> seen;
    for (const config::Server& server : upstream.servers) {
      const std::vector<net::Address>& found = addresses.at(server.address);
      for (const net::Address& address : found) {
        const auto known = find_server(key_of(upstream, server, address, tls));
        const std::string name = server_name(server, found, address);
        // Named twice, it goes by its first name.
        if (known == nullptr || !seen.insert(known.get()).second || known->name() == name) continue;
        renames.servers.push_back({.upstream = upstream.name, .from = known->name(), .to = name});
        known->rename(name);
      }
    }
  }
  registry_.rename(renames);
}

// Connections with different TLS settings never mix: to servers, they are different servers.
Topology::ServerKey Topology::key_of(const config::Upstream& upstream, const config::Server& server,
                                     const net::Address& address, const TlsPlan& tls) {
  return {upstream.name, address.to_string() + tls.identity(upstream, server)};
}

std::shared_ptr<upstream::SharedServer> Topology::find_server(const ServerKey& key) const {
  const auto known = servers_.find(key);
  return known == servers_.end() ? nullptr : known->second.lock();
}

std::shared_ptr<upstream::ServerBound> Topology::share_bound(const ServerKey& key) {
  std::weak_ptr<upstream::ServerBound>& known = bounds_[key];
  std::shared_ptr<upstream::ServerBound> bound = known.lock();
  if (bound == nullptr) {
    bound = std::make_shared<upstream::ServerBound>();
    known = bound;
  }
  return bound;
}

// The same object for the same server, as long as anybody uses it: its bound counts what is still
// draining.
std::shared_ptr<upstream::SharedServer> Topology::share_server(
    const std::shared_ptr<upstream::SharedCluster>& cluster, const config::Upstream& settings,
    const config::Server& configured, const std::string& name, const net::Address& address,
    const TlsPlan& tls) {
  const ServerKey key = key_of(settings, configured, address, tls);
  std::shared_ptr<upstream::SharedServer> server = find_server(key);
  if (server == nullptr) {
    server = std::make_shared<upstream::SharedServer>(
        cluster, name, address, workers_, registry_.server_facts(settings.name, name),
        tls.connector(settings, configured), share_bound({settings.name, address.to_string()}));
    servers_[key] = server;
  }
  server->weight.store(configured.weight, std::memory_order_relaxed);
  server->backup.store(configured.backup, std::memory_order_relaxed);
  // Drained by hand, gone, and here again: in service.
  if (server->retired.exchange(false, std::memory_order_relaxed)) {
    server->facts->states.clear(upstream::Availability::Draining);
  }
  server->slots.set_limit(settings.pool.max_connections);
  server->upgraded.set_limit(settings.pool.max_upgraded);
  server->facts->connections_limit.store(settings.pool.max_connections, std::memory_order_relaxed);
  return server;
}

}  // namespace berth::server
