// Which close reasons can occur where: what a fresh scrape shows at 0. A counter of any other
// reason appears once it counts, so that a gap in this table hides nothing.
#pragma once

#include "proxy/base/close_reason.h"

namespace berth::stats {

// The counter that a reason is counted by.
enum class ReasonUse : uint8_t {
  ClientClose,
  HandshakeFailure,
  Refusal,
  ConnectFailure,
  UpstreamClose,
};

bool occurs(CloseReason reason, ReasonUse use);

}  // namespace berth::stats
