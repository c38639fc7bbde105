// What every connection of a worker uses: its time, its network, its read buffer, its dice.
#pragma once

#include <cstdint>

#include "proxy/base/random.h"
#include "proxy/event/runtime.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/net/network.h"
#include "proxy/net/spool.h"

namespace berth::net {

// Lives as long as the worker. Thread: the worker's.
struct WorkerEnv {
  event::Runtime& runtime;
  Network& network;
  Scratch& scratch;
  Random& random;
  uint32_t worker = 0;     // its index
  Spool* spool = nullptr;  // nullptr: there is none

  TimePoint now() const { return runtime.now(); }
};

}  // namespace berth::net
