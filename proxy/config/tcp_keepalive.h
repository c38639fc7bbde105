// TCP keep-alive (SO_KEEPALIVE): finds peers that vanished without a word. A setting of its own on
// both sides.
#pragma once

#include <cstdint>

#include "proxy/config/sizes.h"

namespace berth::config {

struct TcpKeepalive {
  bool enabled = true;
  Duration idle = 60s;
  Duration interval = 10s;
  uint32_t count = 6;
  bool operator==(const TcpKeepalive&) const = default;
};

}  // namespace berth::config
