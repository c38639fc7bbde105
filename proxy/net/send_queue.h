// What a connection has to send: tried at once, the rest kept in order until the peer takes it.
#pragma once

#include <sys/uio.h>

#include <string_view>

#include "proxy/net/byte_buffer.h"
#include "proxy/net/transport.h"

namespace berth::net {

// Thread: its worker's.
class SendQueue {
 public:
  // What is kept is charged to `account`; nullptr: to nobody.
  explicit SendQueue(MemoryAccount* account = nullptr) : chain_(account) {}

  // Sends the parts in order behind what is queued. What the kernel does not take now is kept:
  // bytes in `scratch` by taking its block over when they are many, others by copying. Ok (all sent
  // or kept) or Reset. `sent` is what the kernel accepted during this call.
  IoResult send(Transport& transport, const iovec* parts, int count, Scratch& scratch);
  // The peer can take more. Ok or Reset; empty() tells whether all is sent.
  IoResult flush(Transport& transport);

  bool empty() const { return chain_.empty(); }
  size_t size() const { return chain_.size(); }
  void clear() { chain_.clear(); }

 private:
  void keep(const iovec* parts, int count, size_t skip, Scratch& scratch);

  Chain chain_;
};

}  // namespace berth::net
