// The keys that session tickets are sealed with (RFC 5077): made and rotated by Berth itself,
// shared by all workers and listeners, kept over reloads, never written anywhere.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "proxy/base/time.h"

namespace berth::net {

// Thread: any.
class TicketKeys {
 public:
  struct Key {
    std::array<uint8_t, 16> name{};
    std::array<uint8_t, 32> cipher{};  // AES-256-CBC
    std::array<uint8_t, 32> mac{};     // HMAC-SHA-256
  };
  // A ticket is good for kLifetime at least; a key lives for one period longer.
  static constexpr Duration kPeriod = std::chrono::hours(6);
  static constexpr Duration kLifetime = std::chrono::hours(12);

  // Throws std::runtime_error if there is no randomness.
  TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;
  ~TicketKeys();

  // To be called once each kPeriod: new tickets get a new key, the oldest one is forgotten.
  void rotate();

  Key newest() const;
  struct Found {
    Key key;
    bool newest = false;
  };
  std::optional<Found> find(std::span<const uint8_t, 16> name) const;

 private:
  static constexpr size_t kKept = kLifetime / kPeriod + 1;
  static Key make();

  mutable std::mutex mutex_;
  std::array<Key, kKept> keys_;  // newest first
  size_t count_ = 0;
};

}  // namespace berth::net
