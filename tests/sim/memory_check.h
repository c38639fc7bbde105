// Whose answers the proxy keeps in memory: no client has more than its share, and those who take
// nothing lose before those who read. Seen from outside: what the proxy has read of a client's
// answer and has not written to it.
#pragma once

#include <cstdint>
#include <deque>

#include "tests/sim/client_model.h"

namespace berth::sim {

class MemoryCheck {
 public:
  explicit MemoryCheck(Site& site) : site_(site) {}

  // At every step.
  void look(const std::deque<ClientModel>& clients) const;
  // A client that reads what it is sent has lost its request because memory is short.
  void judge_loss(uint32_t client, const std::deque<ClientModel>& clients) const;

 private:
  Site& site_;
};

}  // namespace berth::sim
