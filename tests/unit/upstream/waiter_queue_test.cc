#include "proxy/upstream/waiter_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <thread>
#include <vector>

#include "proxy/upstream/slot.h"

namespace berth::upstream {
namespace {

using namespace std::chrono_literals;

constexpr size_t kNoLimit = SIZE_MAX;
constexpr auto anybody = [](const Ticket&) { return true; };

TicketPtr ticket(uint64_t arrival = 0) {
  auto made = std::make_unique<Ticket>();
  made->arrival = arrival;
  return made;
}

TEST(WaiterQueue, TheOldestThatFitsComesFirst) {
  WaiterQueue queue;
  for (int i = 0; i < 3; ++i) ASSERT_NE(queue.push(ticket(), kNoLimit), nullptr);
  EXPECT_EQ(queue.waiting(), 3u);
  EXPECT_EQ(queue.pop_if([](const Ticket& one) { return one.arrival >= 2; })->arrival, 2u);
  EXPECT_EQ(queue.pop_if(anybody)->arrival, 1u);
  EXPECT_EQ(queue.pop_if(anybody)->arrival, 3u);
  EXPECT_EQ(queue.pop_if(anybody), nullptr);
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST(WaiterQueue, RefusesBeyondItsLimitButNotWhoHasItsPlace) {
  WaiterQueue queue;
  const uint64_t place = queue.arrive();
  ASSERT_NE(queue.push(ticket(), 1), nullptr);
  EXPECT_EQ(queue.push(ticket(), 1), nullptr);
  ASSERT_NE(queue.push(ticket(place), 1), nullptr);
  EXPECT_EQ(queue.push(ticket(place), 0), nullptr);  // nobody may wait at all
  EXPECT_EQ(queue.pop_if(anybody)->arrival, place);  // before the one that was pushed first
}

TEST(WaiterQueue, WhatCouldNotBeUsedGoesBackToItsPlace) {
  WaiterQueue queue;
  for (int i = 0; i < 3; ++i) queue.push(ticket(), kNoLimit);
  TicketPtr first = queue.pop_if(anybody);
  queue.put_back(std::move(first));
  EXPECT_EQ(queue.waiting(), 3u);
  EXPECT_EQ(queue.pop_if(anybody)->arrival, 1u);
}

TEST(WaiterQueue, WithdrawsWhatIsStillThere) {
  WaiterQueue queue;
  Ticket* const here = queue.push(ticket(), kNoLimit);
  Ticket* const gone = queue.push(ticket(), kNoLimit);
  const TicketPtr popped = queue.pop_if([&](const Ticket& one) { return &one == gone; });
  EXPECT_EQ(queue.withdraw(*here).get(), here);
  EXPECT_EQ(queue.withdraw(*gone), nullptr);  // on its way home
  EXPECT_EQ(queue.waiting(), 0u);
}

// Real threads that share one bound and one queue, and follow the rule of waiter_queue.h: whoever
// frees something publishes it and then looks at the queue; whoever waits enqueues and then looks
// for something free. If either looked first, a wake-up would be lost now and then, and everybody
// would wait for somebody who sleeps; no sanitizer sees that, so a watchdog does.
class SharedPool {
 public:
  static constexpr size_t kThreads = 3;
  static constexpr uint64_t kRounds = 10'000;

  SharedPool() { slots_.set_limit(1); }

  // Gets a slot, waits for one if need be, and gives it back. False: given up.
  bool use(size_t thread) {
    Slot slot = slots_.try_take();
    if (!slot) {
      std::this_thread::yield();  // what is taken may come free right now
      granted_[thread].store(false);
      auto waits = ticket();
      waits->home = home_of(thread);
      queue_.push(std::move(waits), kNoLimit);
      serve();
      while (!granted_[thread].load()) {
        if (given_up_.load()) return false;
        std::this_thread::yield();
      }
      slot = std::move(grants_[thread]);
    }
    std::this_thread::yield();  // so that others find it taken
    slot.give_back();
    if (queue_.waiting() > 0) serve();
    // The next round begins when all are through this one: a wake-up that is lost is not made up
    // for by those who go on.
    const uint64_t all = (turns_.fetch_add(1) / kThreads + 1) * kThreads;
    while (turns_.load() < all && !given_up_.load()) std::this_thread::yield();
    return !given_up_.load();
  }

  uint64_t turns() const { return turns_.load(); }
  size_t waiting() const { return queue_.waiting(); }
  uint32_t used() const { return slots_.used(); }
  void give_up() { given_up_.store(true); }

 private:
  // Never dereferenced: it tells whose ticket it is.
  WorkerPools* home_of(size_t thread) { return reinterpret_cast<WorkerPools*>(&granted_[thread]); }

  void serve() {
    while (queue_.waiting() > 0) {
      Slot slot = slots_.try_take();
      if (!slot) return;
      const TicketPtr popped = queue_.pop_if(anybody);
      if (popped == nullptr) continue;  // the slot goes back, and the queue is looked at again
      size_t thread = 0;
      while (popped->home != home_of(thread)) ++thread;
      grants_[thread] = std::move(slot);
      granted_[thread].store(true);
    }
  }

  SlotCounter slots_;
  WaiterQueue queue_;
  std::array<Slot, kThreads> grants_;  // written before granted_, read after it
  std::array<std::atomic<bool>, kThreads> granted_{};
  std::atomic<uint64_t> turns_{0};
  std::atomic<bool> given_up_{false};
};

TEST(WaiterQueueThreaded, NoWakeUpIsLost) {
  SharedPool pool;
  std::atomic<size_t> done{0};
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < SharedPool::kThreads; ++thread) {
    threads.emplace_back([&pool, &done, thread] {
      for (uint64_t round = 0; round < SharedPool::kRounds && pool.use(thread); ++round) {
      }
      done.fetch_add(1);
    });
  }
  // The watchdog: only a pool in which nobody moves for so long has lost something.
  constexpr auto kPatience = 20s;
  uint64_t seen = 0;
  auto since = std::chrono::steady_clock::now();
  while (done.load() < SharedPool::kThreads) {
    std::this_thread::sleep_for(1ms);
    const auto now = std::chrono::steady_clock::now();
    if (const uint64_t turns = pool.turns(); turns != seen) {
      seen = turns;
      since = now;
    } else if (now - since > kPatience) {
      ADD_FAILURE() << pool.waiting() << " wait, " << pool.used() << " slots are used, after "
                    << turns << " turns";
      pool.give_up();
      break;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.turns(), SharedPool::kThreads * SharedPool::kRounds);
  EXPECT_EQ(pool.used(), 0u);
  EXPECT_EQ(pool.waiting(), 0u);
}

}  // namespace
}  // namespace berth::upstream
