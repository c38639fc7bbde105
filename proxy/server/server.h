// The process: loads the configuration, runs the workers, listens to signals and to the admin port.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/config/snapshot.h"
#include "proxy/event/loop.h"
#include "proxy/event/signals.h"
#include "proxy/server/access_log.h"
#include "proxy/server/admin.h"
#include "proxy/server/admin_context.h"
#include "proxy/server/cli.h"
#include "proxy/server/disk_spool.h"
#include "proxy/server/log_limit.h"
#include "proxy/server/names.h"
#include "proxy/server/topology.h"
#include "proxy/server/worker.h"
#include "proxy/stats/collector.h"
#include "proxy/stats/process.h"
#include "proxy/stats/registry.h"
#include "proxy/upstream/health_checker.h"

namespace berth::server {

// Thread: the main thread.
class Server final : public AdminContext,
                     public WorkerObserver,
                     private upstream::HealthObserver,
                     private NamesObserver,
                     private event::SignalHandler,
                     private event::TimerHandler {
 public:
  // `loaded` has a configuration. Throws config::SettingError if a log, an address or the admin
  // port cannot be opened.
  Server(const Run& command, Loaded loaded, std::shared_ptr<net::TicketKeys> ticket_keys);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Serves until a signal ends it. Returns the exit status.
  int run();

 private:
  // AdminContext
  std::string version() const override;
  Readiness readiness() const override;
  Duration uptime() const override;
  uint64_t generation() const override { return snapshot_->generation; }
  std::optional<ReloadOutcome> last_reload() const override { return last_reload_; }
  ReloadOutcome reload_now() override;
  std::string effective_config() const override;
  const std::vector<std::string>& admin_hosts() const override {
    return snapshot_->config.admin.hosts;
  }
  std::vector<std::string> set_draining(std::string_view server, std::string_view upstream,
                                        bool draining) override;
  const stats::Registry& registry() const override { return registry_; }
  const stats::Collector& collector() const override { return collector_; }
  // WorkerObserver (their threads)
  void on_worker_ready(uint32_t worker) override;
  void on_worker_drained(uint32_t worker) override;
  void on_memory_short(uint64_t losses, const std::string& client) override;
  void on_trouble(const upstream::SharedServer& server, CloseReason reason,
                  std::string_view detail) override;
  void on_trouble_over(const upstream::SharedServer& server) override;
  void on_ejected(const upstream::SharedServer& server, Duration out_for, uint32_t errors) override;
  void on_ejection_over(const upstream::SharedServer& server) override;
  void on_low_idle_limit(const upstream::SharedServer& server, Duration closes_after,
                         Duration limit) override;
  void on_holder_ended(const upstream::SharedServer& server, const net::Address& client,
                       Duration rested, bool upload) override;
  // upstream::HealthObserver
  void on_health(const std::shared_ptr<upstream::SharedServer>& server, bool healthy,
                 std::string_view why) override;
  void on_room(const std::shared_ptr<upstream::SharedServer>& server) override;
  // NamesObserver
  void on_names_changed() override;
  // event::SignalHandler
  void on_signal(int number) override;

  friend class WorkersReadyMessage;
  friend class WorkerDrainedMessage;
  void on_timer(event::Timer& timer) override;  // of shutdown; new ticket keys
  ReloadReport put_in_effect(config::SnapshotPtr snapshot, TlsPlanPtr tls, AddressTable addresses);
  void hand_out(std::vector<WorkerPlan> plans);
  void reload();
  void reload_rejected(std::vector<std::string> problems);
  void reload_succeeded(ReloadReport report);
  void shut_down(Duration delay);
  void drain();
  void announce() const;

  const Run command_;
  const std::shared_ptr<net::TicketKeys> ticket_keys_;
  config::SnapshotPtr snapshot_;
  event::Loop loop_;
  stats::Registry registry_;
  stats::ProcfsSource procfs_;
  stats::Collector collector_;
  std::unique_ptr<AccessLog> access_log_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<Topology> topology_;
  std::vector<upstream::ClusterPlan> clusters_;  // as they are now
  std::vector<upstream::Peer> peers_;
  // The main thread as something that makes connections: to check the servers' health.
  net::SocketNetwork network_;
  net::Scratch scratch_;
  Random random_;
  net::WorkerEnv env_;
  upstream::HealthChecker health_checker_;
  DiskSpool spool_;
  LogLimit holder_lines_{std::chrono::seconds(1)};  // of holders that are ended
  std::vector<std::unique_ptr<Worker>> workers_;
  Names names_;
  std::unique_ptr<event::Signals> signals_;
  std::optional<ReloadOutcome> last_reload_;
  event::Timer delay_timer_;
  event::Timer grace_timer_;
  event::Timer ticket_keys_timer_;
  TimePoint started_;
  std::atomic<uint32_t> ready_{0};  // workers that have taken their first plan
  uint32_t drained_ = 0;
  bool stopping_ = false;
};

}  // namespace berth::server
