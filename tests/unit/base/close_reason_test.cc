#include "proxy/base/close_reason.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>

namespace berth {
namespace {

std::string_view label(CloseReason reason) {
  return info(reason).label;
}

TEST(CloseReasonTest, EachReasonFindsItsOwnRow) {
  EXPECT_EQ(label(CloseReason::None), "none");
  EXPECT_EQ(label(CloseReason::PeerClosed), "peer_closed");
  EXPECT_EQ(label(CloseReason::HeaderTimeout), "header_timeout");
  EXPECT_EQ(label(CloseReason::ConnectRefused), "connect_refused");
  EXPECT_EQ(label(CloseReason::UpgradeLimit), "upgrade_limit");
  // The last enumerator is the last row: enum and table come from the same lines.
  EXPECT_EQ(static_cast<size_t>(CloseReason::UpgradeLimit), kCloseReasonCount - 1);
}

TEST(CloseReasonTest, EveryReasonHasARepresentation) {
  EXPECT_LE(kCloseReasonCount, std::numeric_limits<std::underlying_type_t<CloseReason>>::max());
}

TEST(CloseReasonTest, LabelsAreUniquePrometheusLabelValues) {
  std::set<std::string_view> seen;
  for (const CloseReasonInfo& reason : kCloseReasons) {
    EXPECT_TRUE(seen.insert(reason.label).second) << reason.label << " is there twice";
    EXPECT_FALSE(reason.label.empty());
    EXPECT_TRUE(std::all_of(reason.label.begin(), reason.label.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    })) << reason.label;
  }
}

TEST(CloseReasonTest, TextsAreUniqueLinesForPeople) {
  std::set<std::string_view> seen;
  for (const CloseReasonInfo& reason : kCloseReasons) {
    EXPECT_TRUE(seen.insert(reason.text).second) << reason.text << " is there twice";
    EXPECT_FALSE(reason.text.empty()) << reason.label;
    EXPECT_EQ(reason.text.find('\n'), std::string_view::npos) << reason.label;
    EXPECT_NE(reason.text.back(), '.') << reason.label;
  }
}

TEST(CloseReasonTest, AnswersAreErrorStatuses) {
  for (const CloseReasonInfo& reason : kCloseReasons) {
    if (reason.status == 0 || reason.label == "redirect_to_https") continue;
    EXPECT_GE(reason.status, 400) << reason.label;
    EXPECT_LE(reason.status, 599) << reason.label;
  }
}

// 4xx blames the client; what a server did, and what Berth could not do, is 5xx (404: Berth found
// no route).
TEST(CloseReasonTest, TheStatusBlamesTheOneWhoCausedIt) {
  const std::set<std::string_view> beyond_berth = {"bad_version", "method_not_allowed",
                                                   "unknown_transfer_coding"};
  for (const CloseReasonInfo& reason : kCloseReasons) {
    if (reason.status == 0 || reason.label == "redirect_to_https") continue;
    if (reason.cause == Cause::Client) {
      EXPECT_EQ(reason.status < 500, beyond_berth.count(reason.label) == 0) << reason.label;
    } else {
      EXPECT_EQ(reason.status >= 500, reason.label != "no_route") << reason.label;
    }
  }
}

TEST(CloseReasonTest, TheStatusesThatDesignNames) {
  EXPECT_EQ(info(CloseReason::HeaderTimeout).status, 408);
  EXPECT_EQ(info(CloseReason::BadRequestLine).status, 400);
  EXPECT_EQ(info(CloseReason::LengthAndChunked).status, 400);
  EXPECT_EQ(info(CloseReason::HeadTooLarge).status, 431);
  EXPECT_EQ(info(CloseReason::TargetTooLong).status, 414);
  EXPECT_EQ(info(CloseReason::BodyTooLarge).status, 413);
  EXPECT_EQ(info(CloseReason::BadVersion).status, 505);
  EXPECT_EQ(info(CloseReason::ConnectRefused).status, 502);
  EXPECT_EQ(info(CloseReason::ConnectTimeout).status, 504);
  EXPECT_EQ(info(CloseReason::ResponseTimeout).status, 504);
  EXPECT_EQ(info(CloseReason::QueueFull).status, 503);
  EXPECT_EQ(info(CloseReason::QueueTimeout).status, 503);
}

TEST(CloseReasonTest, TheLifeOfAnIdleConnectionIsNoError) {
  for (CloseReason reason :
       {CloseReason::KeepaliveTimeout, CloseReason::KeepaliveRequests, CloseReason::KeepaliveTime,
        CloseReason::PeerClosed, CloseReason::ServerClosedIdle, CloseReason::LearnedLimit,
        CloseReason::MaxIdle, CloseReason::Shutdown, CloseReason::Retired}) {
    EXPECT_EQ(info(reason).severity, Severity::Normal) << label(reason);
    EXPECT_EQ(info(reason).status, 0) << label(reason);
  }
}

}  // namespace
}  // namespace berth
