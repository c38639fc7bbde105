#include "proxy/exchange/proxy_status.h"

#include <utility>

namespace berth::exchange {

namespace {

constexpr std::pair<CloseReason, std::string_view> kErrors[] = {
    {CloseReason::ConnectRefused, "connection_refused"},
    {CloseReason::ConnectTimeout, "connection_timeout"},
    {CloseReason::ConnectUnreachable, "destination_ip_unroutable"},
    {CloseReason::ConnectFailed, "destination_unavailable"},
    {CloseReason::ServerTlsFailed, "tls_protocol_error"},
    {CloseReason::ServerCertificate, "tls_certificate_error"},
    {CloseReason::ServerCertificateName, "tls_certificate_error"},
    {CloseReason::ServerCertificateExpired, "tls_certificate_error"},
    {CloseReason::ServerCertificateEarly, "tls_certificate_error"},
    {CloseReason::ServerCertificateSelfSigned, "tls_certificate_error"},
    {CloseReason::ServerCertificateIssuer, "tls_certificate_error"},
    {CloseReason::ServerCertificateChain, "tls_certificate_error"},
    {CloseReason::ServerWantsCertificate, "tls_certificate_error"},
    {CloseReason::NoServer, "destination_unavailable"},
    {CloseReason::ServerAway, "destination_unavailable"},
    {CloseReason::NoRoute, "destination_not_found"},
    {CloseReason::LoopDetected, "proxy_loop_detected"},
    {CloseReason::ServerClosed, "connection_terminated"},
    {CloseReason::ServerReset, "connection_terminated"},
    {CloseReason::StaleReuse, "connection_terminated"},
    {CloseReason::ResponseTimeout, "http_response_timeout"},
    {CloseReason::ResponseStalled, "http_response_timeout"},
    {CloseReason::RequestStalled, "connection_write_timeout"},
    {CloseReason::ResponseHeadTooLarge, "http_response_header_section_size"},
    {CloseReason::ResponseTooManyFields, "http_response_header_section_size"},
    {CloseReason::UnexpectedUpgrade, "http_upgrade_failed"},
    {CloseReason::NotUpgraded, "http_upgrade_failed"},
    {CloseReason::BadResponse, "http_protocol_error"},
    {CloseReason::ServerSpeaksHttp2, "http_protocol_error"},
    {CloseReason::BytesWhileIdle, "http_protocol_error"},
    {CloseReason::QueueFull, "connection_limit_reached"},
    {CloseReason::QueueTimeout, "connection_limit_reached"},
    {CloseReason::UpgradeLimit, "connection_limit_reached"},
};

}  // namespace

std::string_view proxy_status_error(CloseReason reason) {
  for (const auto& [known, error] : kErrors) {
    if (known == reason) return error;
  }
  return info(reason).cause == Cause::Client ? "http_request_error" : "proxy_internal_error";
}

}  // namespace berth::exchange
