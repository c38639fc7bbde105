// Which server of an upstream a request goes to.
#pragma once

#include <cstddef>
#include <vector>

#include "proxy/base/random.h"
#include "proxy/base/time.h"
#include "proxy/config/config.h"
#include "proxy/upstream/waiter_queue.h"

namespace berth::upstream {

class ServerPool;

// One for each upstream and worker. Thread: the worker's.
class Balancer {
 public:
  explicit Balancer(Random& random) : random_(random) {}

  // Of the servers that have not been tried: one that can serve now and is not backing off from
  // failed connects; or one that is backing off, if there is no other kind at all. nullptr if the
  // request has to wait (`must_wait`), or if every server has been tried.
  ServerPool* pick(config::Balance policy, const std::vector<ServerPool*>& servers,
                   const TriedServers& tried, TimePoint now, bool& must_wait);

 private:
  ServerPool* choose(config::Balance policy);

  Random& random_;
  size_t next_ = 0;                      // round robin, and ties
  std::vector<ServerPool*> candidates_;  // kept for its capacity
};

}  // namespace berth::upstream
