// What all workers share under a configuration: the bounds and queues of the upstreams, the
// listening sockets. Lives through reloads: what stays in the configuration keeps its object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/client/client_listener.h"
#include "proxy/config/snapshot.h"
#include "proxy/net/address.h"
#include "proxy/net/spool.h"
#include "proxy/server/inventory.h"
#include "proxy/server/reload_report.h"
#include "proxy/server/tls_plan.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::server {

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
  net::Spool* spool = nullptr;  // outlives the worker; nullptr: there is none
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

  // Its permissions. False if it is not ours any more, or cannot be changed.
  bool set_mode(uint32_t mode) const;

 private:
  bool is_ours() const;

  std::string path_;  // "": none
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
};

// A configuration in effect: one plan for each worker, and what has become different.
struct Applied {
  std::vector<WorkerPlan> plans;
  ReloadReport report;
};

// Thread: the main thread.
class Topology {
 public:
  Topology(stats::Registry& registry, uint32_t workers) : registry_(registry), workers_(workers) {}

  // Opens the sockets of new listeners, sets limits, retires what is gone. `addresses`: those of
  // every server. Throws config::SettingError and changes nothing if something cannot be listened
  // on.
  Applied apply(config::SnapshotPtr snapshot, const AddressTable& addresses, TlsPlanPtr tls);
  // The servers have other addresses; everything else stays as it is.
  std::vector<WorkerPlan> move_servers(const AddressTable& addresses);

  // Where it really listens ("port 0" is resolved), in the order of the configuration.
  const std::vector<std::string>& listening() const { return listening_; }

 private:
  struct OpenListener {
    std::shared_ptr<client::ConnectionCount> count = std::make_shared<client::ConnectionCount>();
    std::string name;           // in the metrics
    std::string address;        // as bound
    uint32_t unix_mode = 0;     // of the file
    std::vector<UniqueFd> fds;  // new ones, one for each worker; moved into the plans
    SocketFile file;
  };
  using Sockets = std::map<std::string, OpenListener>;
  using ServerKey = std::pair<std::string, std::string>;  // upstream, address with TLS settings

  OpenListener open(const config::Listener& listener) const;
  Sockets open_new(const config::Config& config) const;
  void rename_listeners(const config::Config& config);
  void take_over(Sockets opened, std::vector<WorkerPlan>& plans, ReloadReport& report);
  std::vector<WorkerPlan> plan(const AddressTable& addresses);
  std::vector<upstream::ClusterPlan> plan_clusters(const AddressTable& addresses);
  void retire_all_but(const std::set<const void*>& named);
  std::shared_ptr<upstream::SharedCluster> share_cluster(const config::Upstream& settings);
  std::shared_ptr<upstream::ServerBound> share_bound(const ServerKey& key);
  std::shared_ptr<upstream::SharedServer> share_server(
      const std::shared_ptr<upstream::SharedCluster>& cluster, size_t upstream,
      const config::Server& configured, const ServerAddress& at);

  stats::Registry& registry_;
  const uint32_t workers_;
  // In effect.
  config::SnapshotPtr snapshot_;
  TlsPlanPtr tls_;
  Inventory inventory_;
  Sockets listeners_;
  std::vector<std::string> listening_;
  // As long as anybody uses them.
  std::map<std::string, std::weak_ptr<upstream::SharedCluster>> clusters_;
  std::map<ServerKey, std::weak_ptr<upstream::SharedServer>> servers_;
  std::map<ServerKey, std::weak_ptr<upstream::ServerBound>> bounds_;  // by address alone
  std::vector<std::shared_ptr<stats::QueueFacts>> queue_facts_;
};

}  // namespace berth::server
