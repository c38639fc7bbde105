#include "proxy/event/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace berth::event {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration since_epoch) {
  return TimePoint(since_epoch);
}

// Where tests begin: not a round number of ticks.
constexpr Duration kStart = 1'000'000ms + 123'456ns;

// The end of the tick in which `t` lies: until then a timer for `t` may take to fire.
int64_t tick_after(TimePoint t) {
  const int64_t ns = t.time_since_epoch().count();
  return ns / 1'000'000 + (ns % 1'000'000 != 0 ? 1 : 0);
}

// A timer that records when it fires and does what it is told to.
class Alarm final : public TimerHandler {
 public:
  Alarm(TimerQueue& queue, std::vector<int>& fired, int name)
      : timer(*this), queue_(queue), fired_(fired), name_(name) {}

  void on_timer(Timer& which) override {
    EXPECT_EQ(&which, &timer);
    EXPECT_FALSE(timer.armed());
    fired_.push_back(name_);
    if (then) then();
  }
  void arm(Duration since_epoch) { queue_.arm(timer, at(since_epoch)); }

  Timer timer;
  std::function<void()> then;

 private:
  TimerQueue& queue_;
  std::vector<int>& fired_;
  const int name_;
};

class TimerQueueTest : public testing::Test {
 protected:
  std::unique_ptr<Alarm> alarm(int name) { return std::make_unique<Alarm>(queue, fired, name); }
  std::unique_ptr<Alarm> alarm(int name, Duration deadline) {
    auto made = alarm(name);
    made->arm(deadline);
    return made;
  }
  void advance(Duration to) { queue.advance(at(to)); }

  TimerQueue queue{at(0ms)};
  std::vector<int> fired;
};

TEST_F(TimerQueueTest, NothingIsDueInAnEmptyQueue) {
  EXPECT_EQ(queue.next_deadline(), TimePoint::max());
  advance(10s);
  EXPECT_EQ(queue.next_deadline(), TimePoint::max());
}

TEST_F(TimerQueueTest, FiresAtItsDeadlineAndNotBefore) {
  const auto a = alarm(1, 5ms);
  EXPECT_TRUE(a->timer.armed());
  EXPECT_EQ(a->timer.deadline(), at(5ms));
  advance(5ms - 1ns);
  EXPECT_TRUE(fired.empty());
  advance(5ms);
  EXPECT_EQ(fired, std::vector{1});
  EXPECT_FALSE(a->timer.armed());
}

TEST_F(TimerQueueTest, ADeadlineWithinATickFiresAtItsEnd) {
  const auto a = alarm(1, 4ms + 1ns);
  advance(4ms);
  EXPECT_TRUE(fired.empty());
  EXPECT_EQ(queue.next_deadline(), at(5ms));
  advance(5ms);
  EXPECT_EQ(fired, std::vector{1});
}

TEST_F(TimerQueueTest, FiresOnce) {
  const auto a = alarm(1, 5ms);
  advance(5ms);
  advance(5ms);
  advance(300ms);
  advance(70s);
  EXPECT_EQ(fired, std::vector{1});
  EXPECT_EQ(queue.next_deadline(), TimePoint::max());
}

TEST_F(TimerQueueTest, ACancelledOneNeverFires) {
  const auto a = alarm(1, 5ms);
  queue.cancel(a->timer);
  EXPECT_FALSE(a->timer.armed());
  advance(1h);
  EXPECT_TRUE(fired.empty());
  queue.cancel(a->timer);  // harmless
}

TEST_F(TimerQueueTest, PushedIntoTheFutureItFiresThenOnly) {
  const auto a = alarm(1, 5ms);
  a->arm(700ms);
  advance(5ms);
  advance(699ms);
  EXPECT_TRUE(fired.empty());
  advance(700ms);
  EXPECT_EQ(fired, std::vector{1});
}

TEST_F(TimerQueueTest, PulledCloserItFiresThen) {
  const auto a = alarm(1, 1h);
  a->arm(5ms);
  EXPECT_LE(queue.next_deadline(), at(5ms));
  advance(5ms);
  EXPECT_EQ(fired, std::vector{1});
  advance(2h);
  EXPECT_EQ(fired.size(), 1u);
}

TEST_F(TimerQueueTest, PushedOutAndPulledInAgain) {
  const auto a = alarm(1, 50ms);
  a->arm(10s);
  a->arm(60ms);
  a->arm(20ms);
  advance(19ms);
  EXPECT_TRUE(fired.empty());
  advance(20ms);
  EXPECT_EQ(fired, std::vector{1});
}

TEST_F(TimerQueueTest, ADeadlineThatHasPassedFiresAtTheNextTick) {
  advance(100ms);
  const auto a = alarm(1, 40ms);
  const auto b = alarm(2, 100ms);
  EXPECT_LE(queue.next_deadline(), at(101ms));
  advance(101ms);
  EXPECT_EQ(fired, (std::vector{1, 2}));
}

TEST_F(TimerQueueTest, AnArmedOneCanBeMovedToADeadlineBeforeTheEpoch) {
  const auto a = alarm(1, 1s);
  a->arm(-5ms);
  advance(1ms);
  EXPECT_EQ(fired, std::vector{1});
}

TEST_F(TimerQueueTest, AnEndlessDeadlineIsStillArmed) {
  const auto a = alarm(1);
  queue.arm(a->timer, TimePoint::max());
  EXPECT_TRUE(a->timer.armed());
  EXPECT_NE(queue.next_deadline(), TimePoint::max());
  advance(24h);
  EXPECT_TRUE(fired.empty());
  a->arm(25h);
  advance(25h);
  EXPECT_EQ(fired, std::vector{1});
}

TEST_F(TimerQueueTest, FiresInTheOrderOfDeadlinesWhenManyAreDueAtOnce) {
  // One deadline on each level of the wheel, and two on its edges.
  const auto e = alarm(5, 20'000'000ms);
  const auto d = alarm(4, 70'000ms);
  const auto c = alarm(3, 256ms);
  const auto a = alarm(1, 3ms);
  const auto b = alarm(2, 255ms);
  advance(6h);
  EXPECT_EQ(fired, (std::vector{1, 2, 3, 4, 5}));
}

// A stalled loop finds many due at once; one that has been pushed out meanwhile waits for its turn.
TEST_F(TimerQueueTest, APushedTimerFiresInTheOrderOfItsNewDeadline) {
  const auto pushed = alarm(2, 5ms);
  const auto other = alarm(1, 100ms);
  pushed->arm(300ms);
  advance(1s);
  EXPECT_EQ(fired, (std::vector{1, 2}));
}

TEST_F(TimerQueueTest, AQueueThatStartsLateCountsFromThere) {
  TimerQueue late(at(kStart));
  Alarm a(late, fired, 1);
  a.arm(kStart + 2ms);
  late.advance(at(kStart + 1ms));
  EXPECT_TRUE(fired.empty());
  late.advance(at(kStart + 3ms));
  EXPECT_EQ(fired, std::vector{1});
}

// --- What a callback may do.

TEST_F(TimerQueueTest, ACallbackMayArmItselfAgain) {
  const auto a = alarm(1, 10ms);
  Duration next = 10ms;
  a->then = [&] {
    next += 10ms;
    if (next <= 50ms) a->arm(next);
  };
  advance(10ms);
  EXPECT_EQ(fired.size(), 1u);
  EXPECT_TRUE(a->timer.armed());
  advance(1s);  // late: what was armed by a callback and is due fires in the same call
  EXPECT_EQ(fired.size(), 5u);
}

TEST_F(TimerQueueTest, ACallbackMayCancelOthersOfTheSameTick) {
  const auto a = alarm(1, 10ms);
  const auto b = alarm(2, 10ms);
  const auto c = alarm(3, 10ms);
  a->then = [&] { queue.cancel(b->timer); };
  advance(10ms);
  EXPECT_EQ(fired, (std::vector{1, 3}));
}

TEST_F(TimerQueueTest, ACallbackMayDestroyOthersAndItself) {
  auto a = alarm(1, 10ms);
  auto b = alarm(2, 10ms);
  auto c = alarm(3, 10ms);
  a->then = [&] {
    b.reset();
    auto self = std::move(a);  // destroyed at the end of its own callback
  };
  advance(10ms);
  EXPECT_EQ(fired, (std::vector{1, 3}));
}

TEST_F(TimerQueueTest, ACallbackMayPushOthersOfTheSameTick) {
  const auto a = alarm(1, 10ms);
  const auto b = alarm(2, 10ms);
  a->then = [&] { b->arm(20ms); };
  advance(10ms);
  EXPECT_EQ(fired, std::vector{1});
  advance(20ms);
  EXPECT_EQ(fired, (std::vector{1, 2}));
}

TEST_F(TimerQueueTest, ACallbackMayArmAnotherForNow) {
  const auto b = alarm(2);
  const auto a = alarm(1, 10ms);
  a->then = [&] { b->arm(10ms); };
  advance(10ms);
  EXPECT_EQ(fired, (std::vector{1, 2}));
}

// --- Lifetimes.

TEST_F(TimerQueueTest, DestroyingAnArmedTimerTakesItOut) {
  { const auto a = alarm(1, 5ms); }
  EXPECT_EQ(queue.next_deadline(), TimePoint::max());
  advance(1s);
  EXPECT_TRUE(fired.empty());
}

TEST_F(TimerQueueTest, TimersMayOutliveTheQueue) {
  std::unique_ptr<Alarm> a;
  {
    TimerQueue brief(at(0ms));
    a = std::make_unique<Alarm>(brief, fired, 1);
    a->arm(5ms);
  }
  a.reset();
  EXPECT_TRUE(fired.empty());
}

// --- When the queue wants to be called.

TEST_F(TimerQueueTest, TheNextDeadlineOfANearTimerIsExact) {
  for (const Duration wait : {1ms, 2ms, 100ms, 254ms}) {
    const auto a = alarm(1, wait);
    EXPECT_EQ(queue.next_deadline(), at(wait));
  }
}

TEST_F(TimerQueueTest, AFarTimerNeedsOneCallForEachLevelOnly) {
  for (const Duration wait : {Duration(300ms), Duration(100s), Duration(5h), Duration(24h * 40)}) {
    TimerQueue fresh(at(kStart));
    fired.clear();
    Alarm a(fresh, fired, 1);
    a.arm(kStart + wait);
    int calls = 0;
    TimePoint now = at(kStart);
    while (fired.empty()) {
      ASSERT_GT(fresh.next_deadline(), now);
      now = fresh.next_deadline();
      fresh.advance(now);
      ASSERT_LE(++calls, 4) << wait.count();
    }
    EXPECT_EQ(now, at(Duration(1ms) * tick_after(at(kStart + wait))));
  }
}

// The wheel reaches 49.7 days; what lies beyond waits in its farthest slot.
TEST_F(TimerQueueTest, ADeadlineBeyondTheWheelIsKept) {
  const auto a = alarm(1, 24h * 50);
  const auto b = alarm(2, 24h * 51);
  const auto never = alarm(3);
  const auto neither = alarm(4);
  queue.arm(never->timer, TimePoint::max());
  queue.arm(neither->timer, TimePoint::max());
  advance(24h * 50 - 1ms);
  EXPECT_TRUE(fired.empty());
  advance(24h * 50);
  EXPECT_EQ(fired, std::vector{1});
  EXPECT_LE(queue.next_deadline(), at(24h * 51));
  advance(24h * 51);
  EXPECT_EQ(fired, (std::vector{1, 2}));
  advance(24h * 1000);
  EXPECT_EQ(fired.size(), 2u);
  EXPECT_TRUE(never->timer.armed());
}

// --- Against a model: a sorted map of deadlines, and whatever a user can do in any order.

class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed), queue_(now_) {
    for (size_t i = 0; i < kTimers; ++i) nodes_[i] = std::make_unique<Node>(*this, i);
  }

  void step() {
    const size_t which = below(kTimers);
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        arm(which, now_ + span());
        break;
      case 4:
        if (nodes_[which]->timer.armed()) {  // a push, as nearly all arms are
          arm(which, nodes_[which]->timer.deadline() + span());
        }
        break;
      case 5:
        cancel(which);
        break;
      case 6:
        arm(which, now_ - Duration(1ms) * static_cast<int64_t>(below(50)));  // late already
        break;
      case 7:  // destroyed, armed or not, and made anew
        forget(which);
        nodes_[which] = std::make_unique<Node>(*this, which);
        break;
      default:
        advance();
        break;
    }
    check();
  }

 private:
  static constexpr size_t kTimers = 40;

  struct Node final : TimerHandler {
    Node(Model& owner, size_t name) : model(owner), index(name), timer(*this) {}
    void on_timer(Timer&) override { model.on_fired(index); }
    Model& model;
    const size_t index;
    Timer timer;
  };

  uint64_t below(uint64_t bound) { return random_() % bound; }

  // Spans of every level of the wheel, its edges included.
  Duration span() {
    static constexpr int64_t kEdges[] = {0, 1, 255, 256, 257, 65'535, 65'536, 65'537, 16'777'216};
    const int64_t ns = static_cast<int64_t>(below(1'000'000));
    switch (below(6)) {
      case 0:
        return Duration(1ms) * kEdges[below(std::size(kEdges))] +
               Duration(below(2) * static_cast<uint64_t>(ns));
      case 1:
      case 2:
        return Duration(1ms) * static_cast<int64_t>(below(300)) + Duration(ns);
      case 3:
        return Duration(1ms) * static_cast<int64_t>(below(100'000)) + Duration(ns);
      case 4:
        return Duration(1s) * static_cast<int64_t>(below(40'000)) + Duration(ns);
      default:
        return Duration(1ms) * static_cast<int64_t>(below(20));
    }
  }

  void arm(size_t which, TimePoint deadline) {
    queue_.arm(nodes_[which]->timer, deadline);
    forget(which);
    // In a callback the current tick still takes timers.
    const int64_t earliest = advancing_ ? firing_tick_ : fired_up_to_ + 1;
    armed_[which] =
        by_deadline_.emplace(deadline, Entry{which, std::max(tick_after(deadline), earliest)});
  }
  void cancel(size_t which) {
    queue_.cancel(nodes_[which]->timer);
    forget(which);
  }
  void forget(size_t which) {
    if (armed_[which]) by_deadline_.erase(*armed_[which]);
    armed_[which].reset();
  }

  void advance() {
    now_ += below(4) == 0 ? span() : Duration(1ms) * static_cast<int64_t>(below(300));
    if (below(8) == 0) now_ = std::max(now_, std::min(queue_.next_deadline(), now_ + Duration(1h)));
    advancing_ = true;
    firing_tick_ = fired_up_to_ + 1;
    queue_.advance(now_);
    advancing_ = false;
    fired_up_to_ = now_.time_since_epoch() / 1ms;
    // Everything whose tick is over has fired.
    for (const auto& [deadline, entry] : by_deadline_) {
      ASSERT_GT(entry.tick, fired_up_to_) << "timer " << entry.which << " is late";
    }
  }

  void on_fired(size_t which) {
    ASSERT_TRUE(advancing_);
    ASSERT_TRUE(armed_[which]) << "timer " << which << " was not armed";
    const auto [deadline, entry] = **armed_[which];
    forget(which);
    EXPECT_LE(deadline, now_) << "timer " << which << " is early";
    EXPECT_GE(entry.tick, firing_tick_) << "timer " << which << " fires out of order";
    firing_tick_ = std::max(firing_tick_, entry.tick);
    ++fired_count_;
    const size_t other = below(kTimers);
    switch (below(8)) {
      case 0:
        arm(which, now_ + span() + 1ms);
        break;
      case 1:
        arm(other, now_ + span() + 1ms);
        break;
      case 2:
        cancel(other);
        break;
      case 3:
        if (other != which) {
          forget(other);
          nodes_[other] = std::make_unique<Node>(*this, other);
        }
        break;
      case 4:  // in the past of a stalled loop, but not for ever
        if (below(2) == 0) arm(other, now_ - span());
        break;
      default:
        break;
    }
  }

  void check() {
    for (size_t i = 0; i < kTimers; ++i) {
      ASSERT_EQ(nodes_[i]->timer.armed(), armed_[i].has_value());
      if (!armed_[i]) continue;
      ASSERT_EQ(nodes_[i]->timer.deadline(), (*armed_[i])->first);
    }
    const TimePoint next = queue_.next_deadline();
    if (by_deadline_.empty()) {
      ASSERT_EQ(next, TimePoint::max());
      return;
    }
    int64_t earliest = INT64_MAX;
    for (const auto& [deadline, entry] : by_deadline_) earliest = std::min(earliest, entry.tick);
    ASSERT_LE(next, at(Duration(1ms) * earliest));
    ASSERT_GT(next, at(Duration(1ms) * fired_up_to_)) << "asks for what has been done";
  }

  struct Entry {
    size_t which;
    int64_t tick;  // in which it is to fire
  };
  using ByDeadline = std::multimap<TimePoint, Entry>;

  std::mt19937_64 random_;
  TimePoint now_ = at(kStart);
  TimerQueue queue_;
  std::array<std::unique_ptr<Node>, kTimers> nodes_;
  ByDeadline by_deadline_;
  std::array<std::optional<ByDeadline::iterator>, kTimers> armed_;
  int64_t fired_up_to_ = tick_after(at(kStart)) - 1;
  int64_t firing_tick_ = 0;
  bool advancing_ = false;

 public:
  uint64_t fired_count_ = 0;
};

TEST(TimerQueueModel, BehavesAsASortedMap) {
  uint64_t fired = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int i = 0; i < 500; ++i) {
      model.step();
      if (testing::Test::HasFailure()) return;
    }
    fired += model.fired_count_;
  }
  EXPECT_GT(fired, 5'000u);  // it has tested something
}

}  // namespace
}  // namespace berth::event
