// What a server may be given: the states that decide it, one object for each address of an
// upstream, shared by all workers. Metrics and the admin pages read the strongest from its
// ServerFacts.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>

#include "proxy/stats/stats.h"

namespace berth::upstream {

// If you add a state, say in Balancer what it means for new requests, sticky sessions and waiting
// requests. Having left the configuration is not a state: workers that have not yet applied the
// reload still use the server.
using Availability = stats::ServerState;

// All that a server is at the same time, one bit for each Availability but Ready. Thread: any.
class ServerStates {
 public:
  // `shown`: where the strongest state is published; nobody else writes it there.
  explicit ServerStates(std::shared_ptr<stats::ServerFacts> shown) : shown_(std::move(shown)) {
    publish();
  }
  ServerStates(const ServerStates&) = delete;
  ServerStates& operator=(const ServerStates&) = delete;

  // Both return whether that was news.
  bool set(Availability state) { return has_changed(state, bits_.fetch_or(bit(state)), false); }
  bool clear(Availability state) {
    return has_changed(state, bits_.fetch_and(static_cast<uint8_t>(~bit(state))), true);
  }

  bool has(Availability state) const { return (bits_.load() & bit(state)) != 0; }
  bool none() const { return bits_.load() == 0; }
  Availability strongest() const { return strongest_of(bits_.load()); }

 private:
  static constexpr uint8_t bit(Availability state) {
    return static_cast<uint8_t>(1U << (static_cast<unsigned>(state) - 1));
  }
  static Availability strongest_of(uint8_t bits) {
    return static_cast<Availability>(std::bit_width(static_cast<unsigned>(bits)));
  }

  bool has_changed(Availability state, uint8_t before, bool had) {
    if (((before & bit(state)) != 0) != had) return false;
    publish();
    return true;
  }

  // Whoever stores last has seen the bits that are valid after that.
  void publish() {
    for (uint8_t bits = bits_.load();;) {
      shown_->state.store(strongest_of(bits));
      const uint8_t now = bits_.load();
      if (now == bits) return;
      bits = now;
    }
  }

  // A cache line of its own: every request reads it, and what is beside it is written often.
  alignas(64) std::atomic<uint8_t> bits_{0};
  const std::shared_ptr<stats::ServerFacts> shown_;
};

}  // namespace berth::upstream
