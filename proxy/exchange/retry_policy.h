// Whether a request whose upstream connection failed may be sent again: a pure function of what was
// sent, seen and allowed (RFC 9110 section 9.2.2).
#pragma once

#include <optional>

#include "proxy/stats/stats.h"
#include "proxy/upstream/response_handler.h"

namespace berth::exchange {

struct Replayable {
  bool idempotent = false;        // the method is, or the client sent an Idempotency-Key
  bool body_kept = false;         // all of the request's body so far is still at hand
  bool allow_fin_proved = false;  // retry.non_idempotent: fin_proved
};

// None: the request must not be sent again.
std::optional<stats::RetryCause> may_replay(const upstream::UpstreamFailure& failure,
                                            const Replayable& request);

}  // namespace berth::exchange
