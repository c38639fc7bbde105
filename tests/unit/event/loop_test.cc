#include "proxy/event/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace berth::event {
namespace {

using namespace std::chrono_literals;

class Call final : public Message {
 public:
  explicit Call(std::function<void()> what) : what_(std::move(what)) {}
  void deliver() override { what_(); }

 private:
  std::function<void()> what_;
};

class Alarm final : public TimerHandler {
 public:
  explicit Alarm(std::function<void()> what) : timer(*this), what_(std::move(what)) {}
  void on_timer(Timer&) override { what_(); }
  Timer timer;

 private:
  std::function<void()> what_;
};

class Task final : public TurnTask {
 public:
  explicit Task(std::function<void()> what) : what_(std::move(what)) {}
  void run() override { what_(); }

 private:
  std::function<void()> what_;
};

class Goner final : public Disposable {
 public:
  explicit Goner(std::function<void()> last_words) : last_words_(std::move(last_words)) {}
  ~Goner() override { last_words_(); }

 private:
  std::function<void()> last_words_;
};

TimePoint clock_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

// Until the clock itself has moved on by more than the proxy's ticks.
void let_time_pass() {
  const TimePoint from = clock_now();
  while (clock_now() - from < 2ms) {
  }
}

class LoopTest : public testing::Test {
 protected:
  void post(std::function<void()> what) { loop.post(std::make_unique<Call>(std::move(what))); }
  Loop loop;
  std::string log;
};

TEST_F(LoopTest, DeliversWhatWasPostedBeforeItRan) {
  post([&] { log += 'a'; });
  post([&] {
    log += 'b';
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(log, "ab");
}

TEST_F(LoopTest, StopBeforeRunIsNotForgotten) {
  loop.stop();
  loop.run();
}

TEST_F(LoopTest, StopFinishesTheTurn) {
  Task task([&] { log += 't'; });
  post([&] {
    loop.stop();
    loop.runtime().turn.later(task);
    loop.runtime().turn.dispose(std::make_unique<Goner>([&] { log += 'x'; }));
  });
  loop.run();
  EXPECT_EQ(log, "tx");
}

TEST_F(LoopTest, AMessageOfAMessageComesInALaterTurn) {
  Task task([&] { log += 't'; });
  post([&] {
    log += '1';
    loop.runtime().turn.later(task);
    post([&] {
      log += '2';
      loop.stop();
    });
  });
  loop.run();
  EXPECT_EQ(log, "1t2");
}

TEST_F(LoopTest, TimersFireAndNotBeforeTheirDeadline) {
  TimePoint deadline{};
  Alarm alarm([&] {
    EXPECT_GE(loop.runtime().now(), deadline);
    EXPECT_GE(clock_now(), deadline);
    loop.stop();
  });
  loop.runtime().arm(alarm.timer, 20ms);
  deadline = alarm.timer.deadline();
  EXPECT_EQ(deadline, loop.runtime().now() + 20ms);
  loop.run();
  EXPECT_FALSE(alarm.timer.armed());
}

TEST_F(LoopTest, ATimerThatIsArmedCloserThanTheOthersIsNotMissed) {
  Alarm far([] { ADD_FAILURE() << "the loop slept past the nearer timer"; });
  Alarm near([&] { loop.stop(); });
  loop.runtime().arm(far.timer, 1h);
  post([&] { loop.runtime().arm(near.timer, 5ms); });
  loop.run();
}

TEST_F(LoopTest, ATimerThatArmsItselfFiresAgain) {
  int count = 0;
  Alarm* self = nullptr;
  Alarm alarm([&] {
    if (++count == 3) {
      loop.stop();
    } else {
      loop.runtime().arm(self->timer, 1ms);
    }
  });
  self = &alarm;
  loop.runtime().arm(alarm.timer, 1ms);
  loop.run();
  EXPECT_EQ(count, 3);
}

TEST_F(LoopTest, ACancelledTimerDoesNotFire) {
  Alarm cancelled([] { ADD_FAILURE(); });
  Alarm last([&] { loop.stop(); });
  loop.runtime().arm(cancelled.timer, 1ms);
  loop.runtime().arm(last.timer, 10ms);
  loop.runtime().cancel(cancelled.timer);
  loop.run();
}

TEST_F(LoopTest, ATurnIsMessagesThenTimersThenTasksThenDisposals) {
  Alarm alarm([&] { log += 'T'; });
  Task task([&] { log += 't'; });
  loop.runtime().arm(alarm.timer, Duration(0));
  let_time_pass();
  post([&] {
    log += 'm';
    loop.runtime().turn.dispose(std::make_unique<Goner>([&] { log += 'x'; }));
    loop.runtime().turn.later(task);
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(log, "mTtx");
}

// A connection with more to read than its share of a turn: others get theirs, and nobody sleeps.
TEST_F(LoopTest, WhatYieldsRunsInTheNextTurnWhichComesAtOnce) {
  Task* self = nullptr;
  Task task([&] {
    log += 't';
    if (log.size() == 3) {
      loop.stop();
    } else {
      loop.runtime().turn.next_turn(*self);
    }
  });
  self = &task;
  Alarm alarm([] { ADD_FAILURE() << "the loop slept"; });
  loop.runtime().arm(alarm.timer, 1h);
  post([&] { loop.runtime().turn.later(task); });
  struct Observer final : TurnObserver {
    void on_turn(Duration) override { ++turns; }
    int turns = 0;
  } observer;
  loop.observe_turns(&observer);
  loop.run();
  EXPECT_EQ(log, "ttt");
  EXPECT_EQ(observer.turns, 3);
}

TEST_F(LoopTest, TheClockIsReadOncePerTurn) {
  std::array<TimePoint, 3> seen;
  int64_t wall = 0;
  post([&] {
    seen[0] = loop.runtime().now();
    wall = loop.runtime().time.wall_micros();
    let_time_pass();
  });
  post([&] {
    seen[1] = loop.runtime().now();
    EXPECT_EQ(loop.runtime().time.wall_micros(), wall);
    post([&] {
      seen[2] = loop.runtime().now();
      loop.stop();
    });
  });
  loop.run();
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_GE(seen[2] - seen[1], 2ms);
  EXPECT_LE(seen[2], clock_now());
}

TEST_F(LoopTest, TheWallClockIsTheSystems) {
  const auto micros = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const int64_t before = micros();
  post([&] {
    EXPECT_GE(loop.runtime().time.wall_micros(),
              before - 1);  // both clocks are cut to microseconds
    EXPECT_LE(loop.runtime().time.wall_micros(), micros() + 1);
    loop.stop();
  });
  loop.run();
}

TEST_F(LoopTest, TheObserverHearsHowLongEachTurnTook) {
  struct Observer final : TurnObserver {
    void on_turn(Duration took) override { turns.push_back(took); }
    std::vector<Duration> turns;
  } observer;
  loop.observe_turns(&observer);
  post([&] { post([&] { loop.stop(); }); });
  post(let_time_pass);
  loop.run();
  ASSERT_GE(observer.turns.size(), 2u);
  EXPECT_GE(observer.turns.front(), 2ms);
  for (const Duration took : observer.turns) EXPECT_GE(took, Duration(0));
}

TEST(Loop, WhatWasNotDeliveredIsDestroyedWithIt) {
  bool delivered = false;
  auto kept = std::make_shared<int>(1);
  {
    Loop loop;
    loop.post(std::make_unique<Call>([&delivered, kept] { delivered = true; }));
    EXPECT_EQ(kept.use_count(), 2);
  }
  EXPECT_FALSE(delivered);
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(Loop, DeferredDeletionsAreDoneWhenItGoes) {
  std::string log;
  {
    Loop loop;
    Task task([&] { log += 't'; });
    loop.runtime().turn.dispose(std::make_unique<Goner>([&] {
      log += 'x';
      loop.runtime().turn.dispose(std::make_unique<Goner>([&] { log += 'y'; }));
      loop.runtime().turn.later(task);
    }));
    // The task goes before the loop does, as everything that lives in a worker.
    loop.runtime().turn.run();
    EXPECT_EQ(log, "xty");
    loop.runtime().turn.dispose(std::make_unique<Goner>([&] {
      log += 'a';
      loop.runtime().turn.dispose(std::make_unique<Goner>([&] { log += 'b'; }));
    }));
  }
  EXPECT_EQ(log, "xtyab");
}

TEST(LoopThreaded, PostWakesALoopThatSleeps) {
  Loop loop;
  std::atomic<bool> turned{false};
  struct Observer final : TurnObserver {
    explicit Observer(std::atomic<bool>& flag) : seen(flag) {}
    void on_turn(Duration) override { seen = true; }
    std::atomic<bool>& seen;
  } observer(turned);
  loop.observe_turns(&observer);
  loop.post(std::make_unique<Call>([] {}));
  std::thread runner([&] { loop.run(); });
  while (!turned) std::this_thread::yield();  // now it is asleep, or about to be
  std::atomic<int> answers{0};
  for (int i = 1; i <= 50; ++i) {
    loop.post(std::make_unique<Call>([&] { ++answers; }));
    while (answers < i) std::this_thread::yield();
  }
  loop.stop();
  runner.join();
  EXPECT_EQ(answers, 50);
}

TEST(LoopThreaded, SeveralSendersLoseNoMessage) {
  constexpr uint32_t kSenders = 3;
  constexpr uint32_t kEach = 10'000;
  Loop loop;
  std::array<uint32_t, kSenders> next{};  // the loop's thread only
  uint32_t total = 0;
  std::vector<std::thread> senders;
  for (uint32_t s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      for (uint32_t i = 0; i < kEach; ++i) {
        loop.post(std::make_unique<Call>([&, s, i] {
          EXPECT_EQ(next[s]++, i);
          if (++total == kSenders * kEach) loop.stop();
        }));
      }
    });
  }
  loop.run();
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(total, kSenders * kEach);
}

TEST(LoopThreaded, StopEndsALoopThatSleeps) {
  Loop loop;
  std::thread runner([&] { loop.run(); });
  loop.stop();
  runner.join();
}

// Two workers that answer each other, as the pools do when they hand connections over.
TEST(LoopThreaded, LoopsTalkToEachOther) {
  struct Ping final : Message {
    Ping(Loop& to, Loop& from, int left) : to_(to), from_(from), left_(left) {}
    void deliver() override {
      if (left_ > 0) from_.post(std::make_unique<Ping>(from_, to_, left_ - 1));
      if (left_ <= 1) to_.stop();
    }
    Loop& to_;
    Loop& from_;
    const int left_;
  };
  Loop one;
  Loop two;
  std::thread runner([&] { two.run(); });
  two.post(std::make_unique<Ping>(two, one, 1000));
  one.run();
  runner.join();
}

}  // namespace
}  // namespace berth::event
