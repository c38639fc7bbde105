// The simulated world: one clock, one seeded source of chance, and what is to happen when.
//
// Everything in a simulation is decided by the seed, so a failing run replays exactly. The first
// broken rule is kept and ends the run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proxy/base/random.h"
#include "proxy/base/time.h"

namespace berth::sim {

using namespace std::chrono_literals;

// Chance, with the words that scenarios use.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  uint64_t next() { return random_.next(); }
  uint64_t below(uint64_t bound) { return random_.below(bound); }
  uint64_t between(uint64_t least, uint64_t most) { return least + below(most - least + 1); }
  Duration between(Duration least, Duration most) {
    return Duration(least.count() +
                    static_cast<int64_t>(below(static_cast<uint64_t>((most - least).count()) + 1)));
  }
  bool percent(uint64_t chance) { return below(100) < chance; }
  bool permille(uint64_t chance) { return below(1000) < chance; }
  template <class T, size_t N>
  T of(const T (&choices)[N]) {
    return choices[below(N)];
  }

 private:
  Random random_;
};

class World {
 public:
  World(uint64_t seed, bool trace) : dice_(seed), trace_(trace) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  TimePoint now() const { return now_; }
  Dice& dice() { return dice_; }

  // Events of the outside: segments that arrive, clients and servers that act. At the same moment
  // the order is chance.
  void after(Duration delay, std::function<void()> what);
  bool anything_due() const { return !events_.empty() && events_.front().at <= now_; }
  void run_one();
  // TimePoint::max(): none.
  TimePoint next_event() const { return events_.empty() ? TimePoint::max() : events_.front().at; }
  void advance_to(TimePoint at);

  // A line of the trace; costs nothing unless tracing.
  bool tracing() const { return trace_; }
  __attribute__((format(printf, 2, 3))) void note(const char* format, ...);
  const std::vector<std::string>& trace() const { return lines_; }

  // A rule is broken. The first one wins.
  __attribute__((format(printf, 2, 3))) void fail(const char* format, ...);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  // Sums up everything that has happened: two runs of a seed give the same.
  uint64_t fingerprint() const { return fingerprint_; }
  void mix(uint64_t fact) { fingerprint_ = (fingerprint_ ^ fact) * 0x100000001b3; }

 private:
  struct Event {
    TimePoint at;
    uint64_t tie;
    std::function<void()> what;
  };
  static bool later(const Event& a, const Event& b) {
    return a.at != b.at ? a.at > b.at : a.tie > b.tie;
  }

  TimePoint now_ = TimePoint(1000s);
  Dice dice_;
  std::vector<Event> events_;  // a heap
  std::vector<std::string> lines_;
  std::string failure_;
  uint64_t fingerprint_ = 0xcbf29ce484222325;
  bool trace_;
};

}  // namespace berth::sim
