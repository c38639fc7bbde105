// Whether the last that was heard of a server was a failure, so that the first one and the end of
// it can be told.
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

  // A request or a connection failed because of the server. True if that is to be told.
  bool begins(TimePoint now) {
    State fine = State::None;
    if (state_.load(kRelaxed) != fine) return false;
    const int64_t at = now.time_since_epoch().count();
    const bool quiet = at < quiet_until_.load(kRelaxed);
    if (!state_.compare_exchange_strong(fine, quiet ? State::Untold : State::Told)) return false;
    if (!quiet) quiet_until_.store(at + kQuietFor.count(), kRelaxed);
    return !quiet;
  }

  // The server has answered. True if its trouble was told of, and is over.
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
