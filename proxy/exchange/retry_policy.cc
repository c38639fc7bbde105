#include "proxy/exchange/retry_policy.h"

namespace berth::exchange {

std::optional<stats::RetryCause> may_replay(const upstream::UpstreamFailure& failure,
                                            const Replayable& request) {
  if (failure.response_seen || !request.body_kept) return std::nullopt;
  // Otherwise the server is there and answers wrongly or not at all: asking again would double its
  // work.
  const bool peer_gone =
      failure.reason == CloseReason::ServerClosed || failure.reason == CloseReason::ServerReset;
  if (!peer_gone) return std::nullopt;
  if (failure.sent_nothing) return stats::RetryCause::NotSent;
  if (request.idempotent) return stats::RetryCause::Idempotent;
  // A reset proves nothing: the server may have read everything before it.
  const bool fin_proved = failure.fin_proved && failure.reason == CloseReason::ServerClosed;
  if (fin_proved && request.allow_fin_proved) return stats::RetryCause::FinProved;
  return std::nullopt;
}

}  // namespace berth::exchange
