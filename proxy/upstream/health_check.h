// The health check of one server: a GET on a connection of its own, again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/event/timer_queue.h"
#include "proxy/http/head_parser.h"
#include "proxy/net/transport.h"
#include "proxy/net/worker_env.h"
#include "proxy/stats/stats.h"
#include "proxy/upstream/drain_list.h"
#include "proxy/upstream/health_record.h"
#include "proxy/upstream/shared_server.h"

namespace berth::upstream {

// Hears of what the checks find. Thread: that of the checks.
class HealthObserver {
 public:
  // The verdict has changed. `why`: of the check that changed it, for people.
  virtual void on_health(const std::shared_ptr<SharedServer>& server, bool healthy,
                         std::string_view why) = 0;
  // A check has given its slot back, or has found a server that was away: those who wait may want
  // to know.
  virtual void on_room(const std::shared_ptr<SharedServer>& server) = 0;

 protected:
  ~HealthObserver() = default;
};

// A check takes a slot like any other connection: the server never sees one more than
// max_connections. It is left out while there is none, because a server that is full is at work. A
// check begins when the server has let go of the last one's connection: a server that hangs holds
// one connection for checks, not all of them.
// Thread: one, that of `env`.
class HealthCheck final : private net::TransportHandler,
                          private event::TimerHandler,
                          private DrainListOwner {
 public:
  using Settings = std::shared_ptr<const config::Upstream>;

  HealthCheck(net::WorkerEnv& env, std::shared_ptr<SharedServer> server, Settings settings,
              std::shared_ptr<stats::ServerStats> stats, HealthObserver& observer);
  HealthCheck(const HealthCheck&) = delete;
  HealthCheck& operator=(const HealthCheck&) = delete;
  // Closes at once what is open.
  ~HealthCheck();

  // Ends the checks, also one that is under way. What the server was found to be is forgotten.
  void stop();
  // Stopped, and the server has let go of the last connection: the object may go.
  bool over() const { return stopped_ && draining_.empty(); }

  // New settings hold from the next check on.
  void apply(Settings settings) { settings_ = std::move(settings); }

 private:
  enum class State : uint8_t { Resting, Connecting, Talking };

  void on_ready(net::Ready ready) override;
  void on_timer(event::Timer& timer) override;

  void on_let_go(CloseReason reason) override;

  void begin();
  void skip();
  void conclude(bool passed, std::string_view why);
  void finish_connect();
  void flush();
  void read_answer();
  bool understand();
  // The check is over. `why` in words; CloseReason::None if the server has answered.
  void finish(bool passed, CloseReason reason, std::string_view why);
  void hang_up(UpstreamClose reason, bool server_gone = false);
  void rest();
  const config::HealthCheck& limits() const { return settings_->health; }

  net::WorkerEnv& env_;
  std::shared_ptr<SharedServer> server_;
  Settings settings_;
  std::shared_ptr<stats::ServerStats> stats_;
  HealthObserver& observer_;
  HealthRecord record_;
  State state_ = State::Resting;
  Slot slot_;
  std::unique_ptr<net::Transport> transport_;
  DrainList draining_;  // the last check's connection
  event::Timer timer_;
  bool last_failed_ = false;
  bool stopped_ = false;
  std::string request_;
  size_t sent_ = 0;
  std::string answer_;
  http::HeadProgress progress_;
  uint8_t interims_ = 0;
};

}  // namespace berth::upstream
