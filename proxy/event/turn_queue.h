// Work and deletions put off to the end of the current turn of the loop.
//
// Nothing is destroyed inside its own callback: an object that closes releases its resources at
// once and hands itself to dispose(). Tasks run before disposals; tasks may queue further tasks,
// which run in the same turn.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "proxy/base/intrusive_list.h"

namespace berth::event {

struct TurnTaskTag {};

// Embedded in its owner; queued at most once at a time. Destroying it takes it out of the queue.
class TurnTask : public ListHook<TurnTaskTag> {
 public:
  virtual void run() = 0;

 protected:
  ~TurnTask() = default;
};

class Disposable {
 public:
  virtual ~Disposable() = default;
};

// Thread: its worker's.
class TurnQueue {
 public:
  void later(TurnTask& task) {
    if (!task.linked()) tasks_.push_back(task);
  }
  // At the end of the next turn, which then comes at once.
  void next_turn(TurnTask& task) {
    if (!task.linked()) yielded_.push_back(task);
  }
  bool has_yielded() const { return !yielded_.empty(); }
  void dispose(std::unique_ptr<Disposable> object) { disposals_.push_back(std::move(object)); }

  bool empty() const { return tasks_.empty() && yielded_.empty() && disposals_.empty(); }

  // The beginning of a turn: what had yielded runs at its end. Called by the loop (or the
  // simulator) only.
  void begin() {
    while (TurnTask* task = yielded_.pop_front()) tasks_.push_back(*task);
  }

  // The end of the turn: called by the loop (or the simulator) only.
  void run() {
    while (!tasks_.empty() || !disposals_.empty()) {
      while (TurnTask* task = tasks_.pop_front()) task->run();
      // A destructor may dispose of more; keep the two vectors' capacity.
      dying_.swap(disposals_);
      dying_.clear();
    }
  }

 private:
  IntrusiveList<TurnTask, TurnTaskTag> tasks_;
  IntrusiveList<TurnTask, TurnTaskTag> yielded_;
  std::vector<std::unique_ptr<Disposable>> disposals_;
  std::vector<std::unique_ptr<Disposable>> dying_;
};

}  // namespace berth::event
