#include "proxy/upstream/slot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace berth::upstream {
namespace {

TEST(Slot, AreAsManyAsTheLimit) {
  SlotCounter counter;
  EXPECT_FALSE(counter.try_take());
  counter.set_limit(2);
  Slot first = counter.try_take();
  const Slot second = counter.try_take();
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(counter.try_take());
  EXPECT_FALSE(counter.has_room());
  first.give_back();
  EXPECT_FALSE(first);
  EXPECT_TRUE(counter.has_room());
  EXPECT_TRUE(counter.try_take());  // and back at once
  EXPECT_EQ(counter.used(), 1u);
}

TEST(Slot, GoesBackOnceHoweverOftenItIsGiven) {
  SlotCounter counter;
  counter.set_limit(1);
  Slot slot = counter.try_take();
  slot.give_back();
  slot.give_back();
  EXPECT_EQ(counter.used(), 0u);
}

TEST(Slot, MovesWithItsRight) {
  SlotCounter counter;
  SlotCounter other;
  counter.set_limit(1);
  other.set_limit(1);
  Slot slot = counter.try_take();
  Slot moved(std::move(slot));
  EXPECT_TRUE(moved.belongs_to(counter));
  EXPECT_EQ(counter.used(), 1u);
  moved = other.try_take();  // what it held goes back
  EXPECT_TRUE(moved.belongs_to(other));
  EXPECT_EQ(counter.used(), 0u);
  EXPECT_EQ(other.used(), 1u);
}

TEST(Slot, ALowerLimitHoldsAsSlotsComeBack) {
  SlotCounter counter;
  counter.set_limit(3);
  std::vector<Slot> slots;
  for (int i = 0; i < 3; ++i) slots.push_back(counter.try_take());
  counter.set_limit(1);
  EXPECT_TRUE(counter.over_limit());
  slots[0].leave();
  slots[0].leave();  // says so once
  EXPECT_TRUE(counter.over_limit());
  slots[1].leave();
  EXPECT_FALSE(counter.over_limit());  // what closes already brings it down
  slots[0].give_back();
  EXPECT_FALSE(counter.over_limit());
  slots[1].give_back();
  EXPECT_FALSE(counter.try_take());
  slots[2].give_back();
  EXPECT_TRUE(counter.try_take());
}

// The bound holds at any instant: those who hold a slot count themselves.
TEST(SlotThreaded, NeverMoreThanTheLimitAreOut) {
  constexpr uint32_t kLimit = 3;
  SlotCounter counter;
  counter.set_limit(kLimit);
  std::atomic<uint32_t> holders{0};
  std::atomic<uint32_t> most{0};
  std::atomic<uint32_t> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        Slot slot = counter.try_take();
        if (!slot) continue;
        const uint32_t now = holders.fetch_add(1) + 1;
        for (uint32_t seen = most.load(); seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        taken.fetch_add(1);
        if (round % 3 == 0) slot.leave();
        holders.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), kLimit);
  EXPECT_GT(taken.load(), 0u);
  EXPECT_EQ(counter.used(), 0u);
  EXPECT_FALSE(counter.over_limit());
}

}  // namespace
}  // namespace berth::upstream
