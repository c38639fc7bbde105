// What all workers share under a configuration: the bounds and queues of the upstreams, the
// listening sockets. Lives through reloads: what stays in the configuration keeps its object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/client/client_listener.h"
#include "proxy/config/snapshot.h"
#include "proxy/net/address.h"
#include "proxy/server/tls_plan.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::server {

// The addresses of each server, by its text in the configuration.
using AddressTable = std::map<std::string, std::vector<net::Address>>;

// One listener as one worker is to have it.
struct ListenerPlan {
  std::string key;  // its address; the same key: the same sockets
  std::shared_ptr<const config::Listener> settings;
  std::shared_ptr<client::ConnectionCount> count;
  client::TlsAcceptorPtr tls;  // nullptr: plain
  // Only if the worker does not have the listener yet.
  UniqueFd fd;
  std::shared_ptr<stats::ListenerStats> stats;
};

// A configuration made ready for one worker.
struct WorkerPlan {
  config::SnapshotPtr snapshot;
  std::vector<upstream::ClusterPlan> clusters;
  std::vector<ListenerPlan> listeners;
};

// The file of a Unix socket that listens: removed with it, unless somebody else has taken the path
// meanwhile.
class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::string path);
  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile();

 private:
  std::string path_;  // "": none
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
};

// Thread: the main thread.
class Topology {
 public:
  Topology(stats::Registry& registry, uint32_t workers) : registry_(registry), workers_(workers) {}

  // Resolves names, opens the sockets of new listeners, sets limits, retires what is gone. Throws
  // std::runtime_error and changes nothing if an address cannot be resolved or listened on. One
  // plan for each worker.
  std::vector<WorkerPlan> apply(const config::SnapshotPtr& snapshot);
  // The same with addresses that are known already: those of every server.
  std::vector<WorkerPlan> apply(const config::SnapshotPtr& snapshot, const AddressTable& addresses);

  // Where it really listens ("port 0" is resolved), in the order of the configuration.
  const std::vector<std::string>& listening() const { return listening_; }
  // Session tickets get a new key. To be called once each TicketKeys::kPeriod.
  void rotate_ticket_keys() { ticket_keys_->rotate(); }

 private:
  struct OpenListener {
    std::shared_ptr<client::ConnectionCount> count = std::make_shared<client::ConnectionCount>();
    std::string name;           // in the metrics
    std::string address;        // as bound
    std::vector<UniqueFd> fds;  // new ones, one for each worker; moved into the plans
    SocketFile file;
  };
  using Sockets = std::map<std::string, OpenListener>;
  using ServerKey = std::pair<std::string, std::string>;  // upstream, address with TLS settings

  OpenListener open(const config::Listener& listener) const;
  void rename(const config::Config& config, const AddressTable& addresses, const TlsPlan& tls);
  std::vector<upstream::ClusterPlan> plan_clusters(const config::SnapshotPtr& snapshot,
                                                   const AddressTable& addresses,
                                                   const TlsPlan& tls);
  static ServerKey key_of(const config::Upstream& upstream, const config::Server& server,
                          const net::Address& address, const TlsPlan& tls);
  std::shared_ptr<upstream::ServerBound> share_bound(const ServerKey& key);
  // The server with this key, if anybody uses it.
  std::shared_ptr<upstream::SharedServer> find_server(const ServerKey& key) const;
  std::shared_ptr<upstream::SharedServer> share_server(
      const std::shared_ptr<upstream::SharedCluster>& cluster, const config::Upstream& settings,
      const config::Server& configured, const std::string& name, const net::Address& address,
      const TlsPlan& tls);

  stats::Registry& registry_;
  const uint32_t workers_;
  const std::shared_ptr<net::TicketKeys> ticket_keys_ = std::make_shared<net::TicketKeys>();
  Sockets listeners_;
  std::vector<std::string> listening_;
  std::map<std::string, std::weak_ptr<upstream::SharedCluster>> clusters_;
  std::map<ServerKey, std::weak_ptr<upstream::SharedServer>> servers_;
  std::map<ServerKey, std::weak_ptr<upstream::ServerBound>> bounds_;  // by address alone
  std::vector<std::shared_ptr<stats::QueueFacts>> queue_facts_;
};

}  // namespace berth::server
