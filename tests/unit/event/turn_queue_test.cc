#include "proxy/event/turn_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace berth::event {
namespace {

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

class TurnQueueTest : public testing::Test {
 protected:
  std::function<void()> note(char what) {
    return [this, what] { log += what; };
  }
  std::unique_ptr<Goner> goner(char what) { return std::make_unique<Goner>(note(what)); }

  std::string log;
  TurnQueue turn;
};

TEST_F(TurnQueueTest, RunsTasksInOrderAndThenDisposals) {
  Task a(note('a')), b(note('b'));
  turn.dispose(goner('x'));
  turn.later(a);
  turn.dispose(goner('y'));
  turn.later(b);
  EXPECT_FALSE(turn.empty());
  EXPECT_EQ(log, "");
  turn.run();
  EXPECT_EQ(log, "abxy");
  EXPECT_TRUE(turn.empty());
  turn.run();
  EXPECT_EQ(log, "abxy");
}

TEST_F(TurnQueueTest, ATaskIsQueuedOnceHoweverOftenItIsAskedFor) {
  Task a(note('a')), b(note('b'));
  turn.later(a);
  turn.later(b);
  turn.later(a);
  turn.run();
  EXPECT_EQ(log, "ab");
  turn.later(a);
  turn.run();
  EXPECT_EQ(log, "aba");
}

TEST_F(TurnQueueTest, TasksOfTasksRunInTheSameTurnBeforeDisposals) {
  Task second(note('2'));
  Task first([&] {
    log += '1';
    turn.later(second);
  });
  turn.dispose(goner('x'));
  turn.later(first);
  turn.run();
  EXPECT_EQ(log, "12x");
}

TEST_F(TurnQueueTest, ATaskMayQueueItselfAgain) {
  int left = 3;
  Task* self = nullptr;
  Task task([&] {
    log += 't';
    if (--left > 0) turn.later(*self);
  });
  self = &task;
  turn.later(task);
  turn.run();
  EXPECT_EQ(log, "ttt");
  EXPECT_TRUE(turn.empty());
}

TEST_F(TurnQueueTest, ATaskThatYieldsRunsInTheNextTurn) {
  Task yields(note('y')), a(note('a'));
  turn.next_turn(yields);
  turn.later(a);
  EXPECT_FALSE(turn.empty());
  turn.run();
  EXPECT_EQ(log, "a");
  EXPECT_TRUE(turn.has_yielded());
  turn.begin();
  EXPECT_FALSE(turn.has_yielded());
  EXPECT_EQ(log, "a") << "at the end of that turn";
  turn.run();
  EXPECT_EQ(log, "ay");
  EXPECT_TRUE(turn.empty());
}

TEST_F(TurnQueueTest, ATaskMayYieldAgainAndAgain) {
  Task* self = nullptr;
  Task task([&] {
    log += 't';
    turn.next_turn(*self);
  });
  self = &task;
  turn.later(task);
  for (int i = 0; i < 3; ++i) {
    turn.begin();
    turn.run();
  }
  EXPECT_EQ(log, "ttt") << "once in each turn";
}

TEST_F(TurnQueueTest, ATaskWaitsInOneQueueOnly) {
  Task a(note('a'));
  turn.later(a);
  turn.next_turn(a);
  EXPECT_FALSE(turn.has_yielded());
  turn.run();
  EXPECT_EQ(log, "a");
  turn.next_turn(a);
  turn.next_turn(a);
  turn.begin();
  turn.run();
  EXPECT_EQ(log, "aa");
}

TEST_F(TurnQueueTest, DestroyingATaskTakesItOut) {
  auto a = std::make_unique<Task>(note('a'));
  auto b = std::make_unique<Task>(note('b'));
  turn.later(*a);
  turn.later(*b);
  a.reset();
  turn.run();
  EXPECT_EQ(log, "b");
  EXPECT_TRUE(turn.empty());
}

TEST_F(TurnQueueTest, ATaskMayDestroyItselfAndOthers) {
  auto victim = std::make_unique<Task>(note('v'));
  std::unique_ptr<Task> suicide;
  suicide = std::make_unique<Task>([&] {
    log += 's';
    victim.reset();
    auto self = std::move(suicide);
  });
  turn.later(*suicide);
  turn.later(*victim);
  turn.run();
  EXPECT_EQ(log, "s");
}

TEST_F(TurnQueueTest, DestructorsMayDisposeOfMoreAndQueueTasks) {
  Task late(note('t'));
  turn.dispose(std::make_unique<Goner>([&] {
    log += 'x';
    turn.dispose(goner('y'));
    turn.later(late);
  }));
  turn.dispose(goner('z'));
  turn.run();
  EXPECT_EQ(log, "xzty");  // the disposals of one round, then tasks, then the next round
  EXPECT_TRUE(turn.empty());
}

TEST_F(TurnQueueTest, WhatWasDisposedOfGoesWithTheQueue) {
  {
    TurnQueue brief;
    brief.dispose(goner('x'));
  }
  EXPECT_EQ(log, "x");
}

TEST_F(TurnQueueTest, ATaskMayOutliveTheQueue) {
  Task a(note('a'));
  {
    TurnQueue brief;
    brief.later(a);
  }
  EXPECT_FALSE(a.linked());
  turn.later(a);
  turn.run();
  EXPECT_EQ(log, "a");
}

}  // namespace
}  // namespace berth::event
