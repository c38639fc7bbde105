// Nobody waits for long while a connection rests because of its client.
#pragma once

#include <deque>

#include "tests/sim/server_model.h"

namespace berth::sim {

class HolderCheck {
 public:
  explicit HolderCheck(Site& site) : site_(site) {}

  // At every step. `waiting`: requests in the queue of the one upstream.
  void look(const std::deque<ServerModel>& servers, size_t waiting);

 private:
  // Where it is plain whom a request may wait for.
  bool applies() const;

  Site& site_;
  TimePoint waiting_since_ = TimePoint::max();
};

}  // namespace berth::sim
