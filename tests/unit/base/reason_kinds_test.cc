// What the compiler tells apart: see ReasonOf.
#include <gtest/gtest.h>

#include <type_traits>

#include "proxy/base/close_reason.h"

namespace berth {
namespace {

// Whatever could not be had, and whatever broke off before its first request, was a connection too.
TEST(ReasonKinds, FailuresAreCloses) {
  for (size_t i = 0; i < kCloseReasonCount; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (is(reason, ReasonKind::ConnectFailure)) {
      EXPECT_TRUE(is(reason, ReasonKind::UpstreamClose)) << info(reason).label;
      EXPECT_TRUE(is(reason, ReasonKind::Refusal)) << info(reason).label;
    }
    if (is(reason, ReasonKind::HandshakeFailure)) {
      EXPECT_TRUE(is(reason, ReasonKind::ClientClose)) << info(reason).label;
    }
  }
}

TEST(ReasonKinds, AReasonOfOneKindIsStillAReason) {
  constexpr Refusal refusal = CloseReason::QueueFull;
  EXPECT_EQ(refusal, CloseReason::QueueFull);
  EXPECT_EQ(info(refusal).status, 503);
  EXPECT_EQ(UpstreamClose::of(CloseReason::StaleReuse), CloseReason::StaleReuse);
}

// A refusal cannot close a connection, nor the close of a server's connection a client's.
static_assert(!std::is_convertible_v<Refusal, ClientClose>);
static_assert(!std::is_convertible_v<UpstreamClose, ClientClose>);
static_assert(!std::is_convertible_v<UpstreamClose, Refusal>);
static_assert(!is(CloseReason::KeepaliveTimeout, ReasonKind::Refusal));
static_assert(!is(CloseReason::NoRoute, ReasonKind::ClientClose));
static_assert(!is(CloseReason::StaleReuse, ReasonKind::ClientClose));
static_assert(!is(CloseReason::None, ReasonKind::UpstreamClose));
static_assert(sizeof(Refusal) == sizeof(CloseReason));

TEST(ReasonKindsDeathTest, AValueOfAnotherKindStopsADebugBuild) {
  EXPECT_DEATH(ClientClose::of(CloseReason::StaleReuse), "invariant broken");
}

}  // namespace
}  // namespace berth
