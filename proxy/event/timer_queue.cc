#include "proxy/event/timer_queue.h"

#include <algorithm>
#include <bit>

namespace berth::event {

namespace {
constexpr int64_t kTickNanos = 1'000'000;
}

TimerQueue::TimerQueue(TimePoint start) : tick_(tick_of(start)) {}

// Rounded up, so that a timer never fires before its deadline.
uint64_t TimerQueue::tick_of(TimePoint at) {
  const int64_t nanos = at.time_since_epoch().count();
  return nanos <= 0 ? 0 : static_cast<uint64_t>((nanos - 1) / kTickNanos + 1);
}

void TimerQueue::arm(Timer& timer, TimePoint deadline) {
  timer.deadline_ = std::min(deadline, Timer::kUnarmed - Duration(1));
  if (timer.linked()) {
    if (timer.tick_ <= tick_of(timer.deadline_)) return;
    timer.unlink();
  }
  timer.tick_ = std::max(tick_of(timer.deadline_), tick_);
  insert(timer);
}

void TimerQueue::cancel(Timer& timer) {
  timer.deadline_ = Timer::kUnarmed;
  timer.unlink();
}

void TimerQueue::insert(Timer& timer) {
  // The level is the lowest whose slots reach that far. Beyond the last level a timer waits in its
  // farthest slot.
  const uint64_t span = timer.tick_ - tick_;
  constexpr uint64_t kReach = (uint64_t{1} << (kLevels * kSlotBits)) - 1;
  int level = 0;
  while (level < kLevels - 1 && span >= (uint64_t{1} << ((level + 1) * kSlotBits))) ++level;
  if (span > kReach) timer.tick_ = tick_ + kReach;
  const uint64_t slot = (timer.tick_ >> (level * kSlotBits)) & (kSlots - 1);
  Level& into = levels_[static_cast<size_t>(level)];
  into.slots[slot].push_back(timer);
  into.occupied[slot / 64] |= uint64_t{1} << (slot % 64);
}

void TimerQueue::cascade(int level) {
  const uint64_t slot = (tick_ >> (level * kSlotBits)) & (kSlots - 1);
  IntrusiveList<Timer, TimerTag>& list = levels_[static_cast<size_t>(level)].slots[slot];
  if (slot == 0 && level < kLevels - 1) cascade(level + 1);
  list.for_each([this](Timer& timer) {
    timer.unlink();
    timer.tick_ = std::max(tick_of(timer.deadline_), tick_);
    insert(timer);
  });
}

void TimerQueue::fire_slot() {
  IntrusiveList<Timer, TimerTag>& list = levels_[0].slots[tick_ & (kSlots - 1)];
  while (Timer* timer = list.pop_front()) {
    const uint64_t tick = tick_of(timer->deadline_);
    // Was pushed into the future since. It waits for its turn even if that has come too: others may
    // be due before it.
    if (tick > tick_) {
      timer->tick_ = tick;
      insert(*timer);
      continue;
    }
    timer->deadline_ = Timer::kUnarmed;
    timer->handler_.on_timer(*timer);
  }
}

void TimerQueue::advance(TimePoint now) {
  // A tick is due when all of it has passed (tick_of rounds up).
  const uint64_t due = static_cast<uint64_t>(std::max<int64_t>(now.time_since_epoch().count(), 0)) /
                       static_cast<uint64_t>(kTickNanos);
  while (tick_ <= due) {
    fire_slot();
    tick_ = std::min(next_tick(), due + 1);
    if ((tick_ & (kSlots - 1)) == 0) cascade(1);
  }
}

uint64_t TimerQueue::distance_to_occupied(int level, uint64_t from) const {
  const Level& in = levels_[static_cast<size_t>(level)];
  for (uint64_t slot = from; slot < kSlots;) {
    const uint64_t word = in.occupied[slot / 64] >> (slot % 64);
    if (word == 0) {
      slot = (slot / 64 + 1) * 64;
      continue;
    }
    slot += static_cast<uint64_t>(std::countr_zero(word));
    if (!in.slots[slot].empty()) return slot - from;
    in.occupied[slot / 64] &= ~(uint64_t{1} << (slot % 64));
  }
  return kSlots;
}

TimePoint TimerQueue::next_deadline() const {
  const uint64_t tick = next_tick();
  if (tick == UINT64_MAX) return TimePoint::max();
  return TimePoint(Duration(static_cast<int64_t>(tick) * kTickNanos));
}

uint64_t TimerQueue::next_tick() const {
  uint64_t best = UINT64_MAX;
  for (int level = 0; level < kLevels; ++level) {
    const int shift = level * kSlotBits;
    const uint64_t here = tick_ >> shift;
    const uint64_t slot = here & (kSlots - 1);
    // A level's current slot (above level 0) was sorted down when it came up; what is in it lies a
    // round ahead.
    const uint64_t first = level == 0 ? slot : slot + 1;
    uint64_t ahead = distance_to_occupied(level, first);
    uint64_t at = first + ahead;
    if (ahead == kSlots) {
      ahead = distance_to_occupied(level, 0);
      if (ahead == kSlots) continue;
      at = kSlots + ahead;
    }
    best = std::min(best, (here - slot + at) << shift);
  }
  return best;
}

}  // namespace berth::event
