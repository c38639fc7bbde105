// What the simulated clients and servers share.
#pragma once

#include <map>
#include <string>

#include "tests/sim/ledger.h"
#include "tests/sim/link.h"
#include "tests/sim/pool_limits.h"
#include "tests/sim/scenario.h"
#include "tests/sim/tls_eras.h"
#include "tests/sim/world.h"

namespace berth::sim {

class Site {
 public:
  Site(World& of, const Scenario& played) : world(of), scenario(played) {}

  // Connections live as long as the simulation.
  Link& new_link(const LinkManners& manners) {
    return links.emplace_back(world, static_cast<uint32_t>(links.size()), manners);
  }
  // A client calls one of the workers.
  virtual void call(Link& link, const std::string& ip) = 0;
  // A client that reads what it is sent has lost its request because memory is short.
  virtual void judge_memory_loss(uint32_t client) const = 0;
  // Since when the proxy knows that a server of `host` can be reached; TimePoint::max(): it does
  // not.
  TimePoint seen_alive(const std::string& host) const {
    const auto at = alive_since.find(host);
    return at == alive_since.end() ? TimePoint::max() : at->second;
  }

  // How late a worker may be to hear of a reload, and to act on it. (A connection that is handed
  // over meanwhile travels as long.)
  Duration hears_within() const {
    return 2 * scenario.most_lag + 2 * scenario.most_mail_delay + 5ms;
  }

  World& world;
  const Scenario& scenario;
  Ledger ledger;
  bool draining = false;  // the proxy stops: it may close what is idle, and refuse new clients
  std::deque<Link> links;
  std::map<std::string, TimePoint> alive_since;   // by host
  std::map<std::string, PoolLimits> pool_limits;  // by server
  std::map<std::string, TlsEras> tls_eras;        // by host
  TlsEras listener_tls_eras;
  uint64_t configurations = 0;  // so far

 protected:
  ~Site() = default;
};

}  // namespace berth::sim
