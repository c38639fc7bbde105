// Learns when a server that announces nothing closes its idle connections, from watching it do so.
//
// One close proves little: a server that restarts closes connections of every age. Closes that come
// together are one event, which teaches nothing if their ages differ. Two events in a row at about
// the same age are a timeout. What was learned is forgotten after a while, so that a server whose
// setting was raised gets its time back, and at once when a connection proves that it is wrong.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "proxy/base/time.h"

namespace berth::upstream {

// Of one server, shared by all workers. Thread: any. Only observe() and went_down() lock.
class KeepaliveLearner {
 public:
  static constexpr Duration kMemory = std::chrono::minutes(10);
  // Closes that come within this time belong together.
  static constexpr Duration kTogether = std::chrono::milliseconds(250);
  // What came so shortly before the server was found to be away was part of that. (It may have been
  // closed long before a request came.)
  static constexpr Duration kLastWords = std::chrono::seconds(10);
  // How often a connection that is given up stays open unused to test what was learned, and how
  // long after it was learned the first one does.
  static constexpr Duration kTestEvery = std::chrono::seconds(10);

  // The server closed a connection that had been idle for `age`. `served`: it had carried a
  // request.
  void observe(Duration age, TimePoint now, bool served = true);
  // The server cannot be reached: what it has just closed, it closed because it was going down.
  void went_down(TimePoint now);
  // The idle age at which it closes; none if that is not known (any more).
  std::optional<Duration> closes_after(TimePoint now) const;

  // The idle age that an unused connection has to reach to prove that what was learned is wrong;
  // none if nothing was learned, or if another connection has tested that lately. `most`: it may
  // not lie idle for longer.
  std::optional<Duration> begin_test(Duration most, TimePoint now);
  // A connection has been idle for `age` after a request, and the server has not closed it. (One
  // that has carried no request proves nothing: servers have other timeouts for those.)
  void survived(Duration age);

  // True if closes of idle connections come so thick, and at such different ages, that the server
  // must be going down: then its other idle connections are about to be closed too.
  bool burst(Duration age, TimePoint now);

 private:
  static constexpr Duration kBurstWindow = std::chrono::milliseconds(100);
  static constexpr uint32_t kBurstSize = 3;

  // Closes that came together.
  struct Event {
    TimePoint began{};
    int64_t age = 0;  // of the connections, in ns; 0: it tells nothing
    bool taught = false;
    int64_t learned_before = 0;
    int64_t learned_at_before = 0;
  };
  void learn(int64_t age, TimePoint now);
  void forget_event();

  std::mutex mutex_;  // guards event_
  Event event_;
  std::atomic<int64_t> learned_{0};  // ns; 0: nothing
  std::atomic<int64_t> learned_at_{0};
  std::atomic<int64_t> next_test_{INT64_MIN};
  std::atomic<int64_t> burst_began_{INT64_MIN / 2};
  std::atomic<int64_t> burst_age_{0};  // of its first close
  std::atomic<uint32_t> burst_count_{0};
};

}  // namespace berth::upstream
