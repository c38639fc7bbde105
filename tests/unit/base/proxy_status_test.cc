#include "proxy/base/close_reason.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace berth {
namespace {

// The registry of RFC 9209 section 2.3, in its order.
constexpr std::string_view kRegistered[] = {
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
    "destination_ip_unroutable",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
    "tls_certificate_error",
    "tls_alert_received",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_header_size",
    "http_response_body_size",
    "http_response_trailer_section_size",
    "http_response_trailer_size",
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_internal_response",
    "proxy_internal_error",
    "proxy_configuration_error",
    "proxy_loop_detected",
};

TEST(ProxyStatus, EveryAnswerHasARegisteredErrorType) {
  for (size_t i = 0; i < kCloseReasonCount; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (info(reason).status == 0) {
      EXPECT_EQ(info(reason).error, "") << info(reason).label;
      continue;
    }
    const std::string_view error = info(reason).error;
    EXPECT_NE(std::find(std::begin(kRegistered), std::end(kRegistered), error),
              std::end(kRegistered))
        << info(reason).label << ": " << error;
  }
}

TEST(ProxyStatus, TheClientsMistakesAreRequestErrors) {
  size_t count = 0;
  for (size_t i = 0; i < kCloseReasonCount; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (info(reason).cause != Cause::Client || info(reason).status == 0) continue;
    EXPECT_EQ(info(reason).error, "http_request_error") << info(reason).label;
    ++count;
  }
  EXPECT_GT(count, 15u);
}

TEST(ProxyStatus, SaysWhatTheServerDid) {
  const std::pair<CloseReason, std::string_view> kTable[] = {
      {CloseReason::ConnectRefused, "connection_refused"},
      {CloseReason::ConnectTimeout, "connection_timeout"},
      {CloseReason::ConnectUnreachable, "destination_ip_unroutable"},
      {CloseReason::ConnectFailed, "destination_unavailable"},
      {CloseReason::NoLocalResources, "proxy_internal_error"},
      {CloseReason::ServerClosed, "connection_terminated"},
      {CloseReason::ServerReset, "connection_terminated"},
      {CloseReason::StaleReuse, "connection_terminated"},
      {CloseReason::ResponseTimeout, "http_response_timeout"},
      {CloseReason::ResponseStalled, "http_response_timeout"},
      {CloseReason::RequestStalled, "connection_write_timeout"},
      {CloseReason::BadResponse, "http_protocol_error"},
      {CloseReason::ResponseHeadTooLarge, "http_response_header_section_size"},
      {CloseReason::UnexpectedUpgrade, "http_upgrade_failed"},
      {CloseReason::NotUpgraded, "http_upgrade_failed"},
      {CloseReason::NoRoute, "destination_not_found"},
      {CloseReason::NoServer, "destination_unavailable"},
      {CloseReason::QueueFull, "connection_limit_reached"},
      {CloseReason::QueueTimeout, "connection_limit_reached"},
      {CloseReason::UpgradeLimit, "connection_limit_reached"},
  };
  for (const auto& [reason, error] : kTable) {
    EXPECT_EQ(info(reason).error, error) << info(reason).label;
  }
}

// A server's failure that a client is told of is never passed off as Berth's own.
TEST(ProxyStatus, TheServersFailuresAreNotBerths) {
  for (size_t i = 0; i < kCloseReasonCount; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    if (info(reason).cause != Cause::Server || info(reason).status == 0) continue;
    EXPECT_NE(info(reason).error, "proxy_internal_error") << info(reason).label;
  }
}

}  // namespace
}  // namespace berth
