// What a server that announces no timeout has taught the proxy by closing idle connections, and
// what it has disproved by leaving others open.
#pragma once

#include <optional>
#include <vector>

#include "proxy/base/time.h"

namespace berth::sim {

class IdleCloses {
 public:
  // `travel`: how long anything is on its way at most.
  explicit IdleCloses(Duration travel)
      : travel_(travel), slack_(2 * travel + std::chrono::milliseconds(5)) {}

  // The server closed a connection that had been idle for `age`.
  void closed(Duration age, TimePoint now) { closes_.push_back({age, now}); }
  // The proxy closed one that had been idle since `since`, and for `age`, less what the end of it
  // was on its way.
  void outlived(TimePoint since, Duration age, TimePoint now) {
    outlived_.push_back({age, since, now});
  }
  // The age at which the proxy may think that the server closes a connection that became idle at
  // `since`; none if it has no reason to think so. Closes that came together are one, and one is
  // no reason.
  std::optional<Duration> may_be_believed(TimePoint since) const;

 private:
  struct Close {
    Duration age;
    TimePoint at;
  };
  struct Outlived {
    Duration age;
    TimePoint since;
    TimePoint at;
  };
  bool agree(const Close& first, const Close& second) const;
  bool disproved(const Close& first, const Close& second, TimePoint since) const;

  Duration travel_;
  Duration slack_;
  std::vector<Close> closes_;
  std::vector<Outlived> outlived_;
};

}  // namespace berth::sim
