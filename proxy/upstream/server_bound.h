// What one address of an upstream is given, whatever TLS settings its connections have.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "proxy/stats/stats.h"
#include "proxy/upstream/server_state.h"
#include "proxy/upstream/slot.h"

namespace berth::upstream {

// A reload that changes the TLS settings makes another SharedServer, whose connections count
// together with the old one's, and which is in the same states. Thread: any.
struct ServerBound {
  explicit ServerBound(std::shared_ptr<stats::ServerFacts> shown)
      : facts(std::move(shown)), states(facts) {}

  const std::shared_ptr<stats::ServerFacts> facts;
  SlotCounter slots;
  SlotCounter upgraded;
  ServerStates states;
  std::atomic<bool> seen_alive{false};  // a connection has been made, since the start
};

}  // namespace berth::upstream
