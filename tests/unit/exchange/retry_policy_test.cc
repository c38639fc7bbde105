#include "proxy/exchange/retry_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace berth::exchange {
namespace {

using stats::RetryCause;
using upstream::UpstreamFailure;

// The rules of retry_policy.h, row by row, written out without regard to how the code does it.
std::optional<RetryCause> table(const UpstreamFailure& failure, const Replayable& request) {
  const bool eof = failure.reason == CloseReason::ServerClosed;
  const bool rst = failure.reason == CloseReason::ServerReset;
  // The table is about connections that the server has ended. A server that answers wrongly, or too
  // late, is there.
  if (!eof && !rst) return std::nullopt;
  // A response has begun, or what would have to be sent is gone.
  if (failure.response_seen) return std::nullopt;
  if (!request.body_kept) return std::nullopt;
  // "no byte of the request was accepted for sending: always"
  if (failure.sent_nothing) return RetryCause::NotSent;
  // "idempotent method, or Idempotency-Key present; no response byte seen; body replayable: yes"
  if (request.idempotent) return RetryCause::Idempotent;
  // "any method; EOF (not RST), and no byte of the request was ever acknowledged: only with
  // fin_proved"
  if (eof && failure.fin_proved && request.allow_fin_proved) return RetryCause::FinProved;
  // "anything else: no"
  return std::nullopt;
}

TEST(RetryPolicy, IsTheTableForEveryInput) {
  size_t allowed = 0;
  for (size_t reason = 0; reason < kCloseReasonCount; ++reason) {
    for (unsigned bits = 0; bits < 128; ++bits) {
      const auto bit = [bits](unsigned n) { return ((bits >> n) & 1U) != 0; };
      const UpstreamFailure failure{.reason = static_cast<CloseReason>(reason),
                                    .reused = bit(0),
                                    .sent_nothing = bit(1),
                                    .fin_proved = bit(2),
                                    .response_seen = bit(3)};
      const Replayable request{
          .idempotent = bit(4), .body_kept = bit(5), .allow_fin_proved = bit(6)};
      const auto expected = table(failure, request);
      EXPECT_EQ(may_replay(failure, request), expected)
          << info(failure.reason).label << " " << bits;
      if (expected) ++allowed;
    }
  }
  // Either reason, reused or not: of the 16 ways to set the rest, 12 are not sent or idempotent.
  // And of the other 4 of an EOF the one that is proved and allowed.
  EXPECT_EQ(allowed, 2u * 2u * 12u + 2u);
}

// The rows that matter most, spelled out.
TEST(RetryPolicy, APostThatTheServerMayHaveReadIsNeverSentTwice) {
  const Replayable post{.idempotent = false, .body_kept = true, .allow_fin_proved = false};
  EXPECT_EQ(may_replay({.reason = CloseReason::ServerReset, .reused = true}, post), std::nullopt);
  EXPECT_EQ(may_replay({.reason = CloseReason::ServerClosed, .reused = true}, post), std::nullopt);
  EXPECT_EQ(
      may_replay({.reason = CloseReason::ServerClosed, .reused = true, .fin_proved = true}, post),
      std::nullopt);
}

TEST(RetryPolicy, AResetProvesNothing) {
  const Replayable post{.idempotent = false, .body_kept = true, .allow_fin_proved = true};
  EXPECT_EQ(
      may_replay({.reason = CloseReason::ServerReset, .reused = true, .fin_proved = true}, post),
      std::nullopt);
  EXPECT_EQ(
      may_replay({.reason = CloseReason::ServerClosed, .reused = true, .fin_proved = true}, post),
      RetryCause::FinProved);
}

TEST(RetryPolicy, NothingIsSentAgainOnceAResponseHasBegun) {
  EXPECT_EQ(
      may_replay({.reason = CloseReason::ServerClosed, .sent_nothing = true, .response_seen = true},
                 {.idempotent = true, .body_kept = true, .allow_fin_proved = true}),
      std::nullopt);
}

}  // namespace
}  // namespace berth::exchange
