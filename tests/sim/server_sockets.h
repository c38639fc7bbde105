// What the kernel of a simulated server's machine holds: the accept queue of its listening socket,
// and every connection that is still open there, whatever the proxy thinks of it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "tests/sim/link.h"

namespace berth::sim {

class ServerSockets {
 public:
  // The connection stands: it waits until the server accepts it.
  void established(End& end);
  // The one that has waited for longest; nullptr: none does.
  End* accept();
  // The process ends: nobody will accept what waits.
  void reset_waiting();

  struct Count {
    uint32_t pooled = 0;
    uint32_t upgraded = 0;  // the proxy has read their 101
  };
  // Those that are open, accepted or not. A connection is open until the server has sent a FIN or a
  // RST, or the proxy a RST.
  Count open();

 private:
  std::deque<End*> waiting_;
  std::vector<End*> open_;
};

}  // namespace berth::sim
