// The bound of a pool: a Slot is the right to hold one connection to a server, counted over all
// workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "proxy/base/count.h"

namespace berth::upstream {

class SlotCounter;

// Taken before connect(); given back by its destructor, once the server has let go of the
// connection.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept
      : counter_(std::exchange(other.counter_, nullptr)),
        leaving_(std::exchange(other.leaving_, false)) {}
  Slot& operator=(Slot&& other) noexcept {
    if (this != &other) {
      give_back();
      counter_ = std::exchange(other.counter_, nullptr);
      leaving_ = std::exchange(other.leaving_, false);
    }
    return *this;
  }
  ~Slot() { give_back(); }

  explicit operator bool() const { return counter_ != nullptr; }
  bool belongs_to(const SlotCounter& counter) const { return counter_ == &counter; }
  // Says that the slot comes back soon: its connection is closing. Counts until give_back().
  inline void leave();
  inline void give_back();

 private:
  friend class SlotCounter;
  explicit Slot(SlotCounter* counter) : counter_(counter) {}
  SlotCounter* counter_ = nullptr;  // outlives the slot
  bool leaving_ = false;
};

// Thread: any. Sequentially consistent where the lost-wake-up argument of waiter_queue.h needs it.
class SlotCounter {
 public:
  // An empty Slot when the limit is reached. Never more than `limit` slots are out, at any instant;
  // a lowered limit takes effect as slots come back.
  Slot try_take() {
    uint32_t used = used_.load(std::memory_order_seq_cst);
    do {
      if (used >= limit_.load(std::memory_order_seq_cst)) return Slot();
    } while (!used_.compare_exchange_weak(used, used + 1, std::memory_order_seq_cst));
    return Slot(this);
  }

  uint32_t used() const { return used_.load(std::memory_order_seq_cst); }
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(uint32_t limit) { limit_.store(limit, std::memory_order_seq_cst); }
  bool has_room() const { return used() < limit(); }
  // More are out than the limit allows, and closing connections will not mend that.
  bool over_limit() const { return used() > limit() + leaving_.load(std::memory_order_seq_cst); }

 private:
  friend class Slot;
  std::atomic<uint32_t> used_{0};
  std::atomic<uint32_t> limit_{0};
  std::atomic<uint32_t> leaving_{0};
};

inline void Slot::leave() {
  if (counter_ == nullptr || leaving_) return;
  leaving_ = true;
  counter_->leaving_.fetch_add(1, std::memory_order_seq_cst);
}

inline void Slot::give_back() {
  if (counter_ == nullptr) return;
  if (std::exchange(leaving_, false)) {
    drop_one(counter_->leaving_, std::memory_order_seq_cst);
  }
  drop_one(counter_->used_, std::memory_order_seq_cst);
  counter_ = nullptr;
}

}  // namespace berth::upstream
