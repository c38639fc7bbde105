// What one client connection holds in buffers, and how fast it lets go of it.
//
// Blocks charge themselves to their account and leave it when they are freed (byte_buffer.h), so it
// is exact at every moment. An account that holds more than next to nothing is looked after by its
// worker's MemoryKeeper; the others cost two additions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/base/intrusive_list.h"
#include "proxy/net/address.h"

namespace berth::net {

class MemoryKeeper;
struct MemoryPlace;
struct MemoryTag {};

// The base of a client connection. It outlives every buffer that is charged to it. Thread: its
// worker's.
class MemoryAccount : public ListHook<MemoryTag> {
 public:
  // What no account is looked at for: a buffer or two of the smallest size.
  static constexpr size_t kSmall = 6 * 1024;

  explicit MemoryAccount(MemoryKeeper& keeper) : keeper_(keeper) {}
  virtual ~MemoryAccount();

  // Bytes of memory, the unused parts of buffers included.
  size_t held() const { return held_; }

  // --- For buffers.
  void take(size_t bytes) {
    held_ += bytes;
    if (held_ > kSmall || linked()) notice(bytes);
  }
  void give_back(size_t bytes);
  // So many bytes have gone on to the client, or have come from it: it moves.
  void moved(size_t bytes) { moved_ += bytes; }

 protected:
  friend class MemoryKeeper;

  // --- What the keeper asks its owner. None of these is called from within take() or give_back(),
  // but for the first four.

  // memory_budget.
  virtual uint64_t memory_budget() const = 0;
  // Where the client is, if its address stands for one client; nullptr if for many: a proxy that is
  // trusted, a Unix socket.
  virtual const Address* counted_address() const = 0;
  // What it may be thought to take before anything is known of it, in bytes.
  virtual size_t memory_credit() const = 0;
  // Whether something that it has held back has a connection to a server that others wait for.
  virtual bool keeps_others_waiting() = 0;
  // Ends whatever of its own holds most.
  virtual void end_largest() = 0;
  // What waits for memory may try again.
  virtual void on_memory() = 0;

 private:
  void notice(size_t bytes);

  MemoryKeeper& keeper_;
  MemoryPlace* place_ = nullptr;  // while the keeper looks after it, if its address counts
  size_t held_ = 0;
  size_t moved_ = 0;          // since the keeper's last look
  float recently_moved_ = 0;  // bytes, older ones counting less
  float recently_ = 0;        // in how many seconds, weighed likewise
  float rested_ = 0;          // seconds for which nothing has moved
  bool waits_ = false;        // for memory
};

}  // namespace berth::net
