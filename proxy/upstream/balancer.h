// Which server of an upstream a request goes to.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/base/random.h"
#include "proxy/base/time.h"
#include "proxy/config/config.h"
#include "proxy/upstream/affinity.h"
#include "proxy/upstream/candidate.h"
#include "proxy/upstream/waiter_queue.h"

namespace berth::upstream {

class ServerPool;

// One for each upstream and worker. The one place that knows who may serve whom: first the servers
// that are ready, then those that are left out (ejected, unhealthy), then those that are away
// (backing off), and of each kind the backups only if there is no other. Those that drain serve
// their sessions only. Who may serve is one question, who has room another: a request waits for a
// full server rather than go to a worse kind. Thread: the worker's.
class Balancer {
 public:
  explicit Balancer(Random& random) : random_(random), rotation_(random) {}

  // The upstream's servers from now on. Those that stay keep their turns.
  void set_servers(const std::vector<ServerPool*>& servers);

  struct Choice {
    ServerPool* pool = nullptr;  // none, and no waiting: every server has been tried
    bool must_wait = false;      // for `pool`, or if there is none, for whichever server has room
    bool bound = false;          // to `pool`, by cookie or hash
    bool some_away = false;      // and are to be tried now and then
  };
  // Of the servers that have not been tried. A sticky session waits for its server as long as that
  // may serve at all; a hash passes over a full server.
  Choice pick(const config::Upstream& settings, const TriedServers& tried, const Affinity& affinity,
              TimePoint now);

  // Whether a waiting request may be given what `server` has free.
  bool may_grant(const SharedServer& server, const Ticket& ticket, TimePoint now) const;

 private:
  struct Member : Candidate {
    ServerPool* pool = nullptr;
    uint32_t elsewhere = 0;  // requests of the other workers
  };

  Member* sticky_server(uint64_t tag, const TriedServers& tried, TimePoint now);
  // Fills candidates_ with those of the best kind that have room. False if no server may serve.
  bool gather(const TriedServers& tried, TimePoint now);
  // One of several candidates.
  Member& choose(const config::Upstream& settings, const Affinity& affinity, TimePoint now);
  void look_at_loads(TimePoint now);

  Random& random_;
  Rotation rotation_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<Candidate*> candidates_;  // kept for its capacity
  bool some_away_ = false;              // of those that were looked at
  TimePoint loads_of_{};                // when `elsewhere` was looked at
};

}  // namespace berth::upstream
