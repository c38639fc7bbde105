// The peers whose X-Forwarded-* fields are believed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/net/address.h"

namespace berth::exchange {

class TrustedProxies {
 public:
  TrustedProxies() = default;  // nobody
  // Addresses ("10.0.0.1", "::1"), CIDR blocks ("10.0.0.0/8") and "unix:"; validated by the config
  // loader, so what is malformed is ignored.
  explicit TrustedProxies(const std::vector<std::string>& entries);

  bool contains(const net::Address& peer) const;

 private:
  struct Block {
    std::array<uint8_t, 16> ip;  // IPv4 as IPv4-mapped IPv6
    uint8_t bits;
  };
  std::vector<Block> blocks_;
  bool unix_ = false;
};

}  // namespace berth::exchange
