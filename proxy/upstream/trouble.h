// Remembers whether a server failed last, so that its first failure and its recovery can be logged.
#pragma once

#include <atomic>
#include <cstdint>

#include "proxy/base/time.h"

namespace berth::upstream {

// Of one server, shared by all workers. Thread: any.
class Trouble {
 public:
  // A server that fails and answers in turn is told of only so often.
  static constexpr Duration kQuietFor = std::chrono::seconds(10);

  // Notes that a request or a connection failed because of the server. True if the observer should
  // hear of it.
  bool begins(TimePoint now) {
    State fine = State::None;
    if (state_.load(kRelaxed) != fine) return false;
    const int64_t at = now.time_since_epoch().count();
    const bool quiet = at < quiet_until_.load(kRelaxed);
    if (!state_.compare_exchange_strong(fine, quiet ? State::Untold : State::Told)) return false;
    if (!quiet) quiet_until_.store(at + kQuietFor.count(), kRelaxed);
    return !quiet;
  }

  // Notes that the server has answered. True if the observer heard of the failure before.
  bool ends() {
    if (state_.load(kRelaxed) == State::None) return false;
    return state_.exchange(State::None) == State::Told;
  }

 private:
  enum class State : uint8_t { None, Untold, Told };
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  std::atomic<State> state_{State::None};
  std::atomic<int64_t> quiet_until_{INT64_MIN};
};

}  // namespace berth::upstream
