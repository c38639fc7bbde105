// What every connection of a worker uses: its time, its network, its read buffer, its dice.
#pragma once

#include <cstdint>

#include "proxy/base/random.h"
#include "proxy/event/runtime.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/net/network.h"
#include "proxy/net/spool.h"

namespace berth::net {

// Which connection of this process, of clients and servers alike: the worker that made it, and
// which of that worker's it was.
struct ConnectionId {
  uint64_t worker : 12 = 0;
  uint64_t number : 52 = 0;  // from 1; 0: no connection
};

// Lives as long as the worker. Thread: the worker's.
struct WorkerEnv {
  event::Runtime& runtime;
  Network& network;
  Scratch& scratch;
  Random& random;
  uint32_t worker = 0;       // its index
  Spool* spool = nullptr;    // nullptr: there is none
  uint64_t connections = 0;  // made so far

  TimePoint now() const { return runtime.now(); }
  ConnectionId new_connection() {
    return {worker & 0xfff, ++connections & ((uint64_t{1} << 52) - 1)};
  }
};

}  // namespace berth::net
