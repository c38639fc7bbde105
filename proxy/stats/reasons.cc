#include "proxy/stats/reasons.h"

namespace berth::stats {
namespace {

struct Sides {
  bool client_close = false;
  bool handshake_failure = false;
  bool connect_failure = false;
  bool upstream_close = false;
};

constexpr Sides sides(CloseReason reason) {
  switch (reason) {
    case CloseReason::None:
      return {};

    // Both sides.
    case CloseReason::KeepaliveTimeout:
    case CloseReason::KeepaliveRequests:
    case CloseReason::KeepaliveTime:
    case CloseReason::CloseRequested:
    case CloseReason::Http10:
    case CloseReason::UpgradeFinished:
    case CloseReason::Shutdown:
    case CloseReason::ClientRested:
      return {.client_close = true, .upstream_close = true};

    // Client connections, and the requests after whose refusal one is closed.
    case CloseReason::PeerClosed:
    case CloseReason::ClientReset:
    case CloseReason::ClientAborted:
    case CloseReason::HeaderTimeout:
    case CloseReason::BodyTimeout:
    case CloseReason::SendTimeout:
    case CloseReason::BodyTooSlow:
    case CloseReason::SendTooSlow:
    case CloseReason::EarlyResponse:
    case CloseReason::Evicted:
    case CloseReason::ConnectionLimit:
    case CloseReason::MemoryShort:
    case CloseReason::ResponseAborted:
    case CloseReason::TlsBroken:
    case CloseReason::Http2Error:
    case CloseReason::SettingsTimeout:
    case CloseReason::ResetFlood:
    case CloseReason::HeaderFlood:
    case CloseReason::FrameFlood:
    case CloseReason::BadRequestLine:
    case CloseReason::BadMethod:
    case CloseReason::BadTarget:
    case CloseReason::AmbiguousPath:
    case CloseReason::BadVersion:
    case CloseReason::BareLineEnd:
    case CloseReason::BadHeaderName:
    case CloseReason::BadHeaderValue:
    case CloseReason::ObsFold:
    case CloseReason::TooManyHeaders:
    case CloseReason::HeadTooLarge:
    case CloseReason::TargetTooLong:
    case CloseReason::BadHost:
    case CloseReason::BadContentLength:
    case CloseReason::LengthAndChunked:
    case CloseReason::BadTransferEncoding:
    case CloseReason::UnknownTransferCoding:
    case CloseReason::BadChunk:
    case CloseReason::BadTrailer:
    case CloseReason::BadUpgrade:
    case CloseReason::BodyTooLarge:
    case CloseReason::SpoolTooLarge:
    case CloseReason::BadExpect:
    case CloseReason::MethodNotAllowed:
      return {.client_close = true};

    case CloseReason::HandshakeTimeout:
    case CloseReason::TlsVersion:
    case CloseReason::TlsCipher:
    case CloseReason::TlsProtocol:
    case CloseReason::TlsClientCertificate:
    case CloseReason::TlsClientRefused:
    case CloseReason::TlsClientLeft:
    case CloseReason::TlsMalformed:
    case CloseReason::PlainHttpToTls:
    case CloseReason::BadProxyHeader:
      return {.client_close = true, .handshake_failure = true};

    case CloseReason::ConnectRefused:
    case CloseReason::ConnectTimeout:
    case CloseReason::ConnectUnreachable:
    case CloseReason::ConnectFailed:
    case CloseReason::NoLocalResources:
    case CloseReason::ServerTlsFailed:
    case CloseReason::ServerCertificate:
    case CloseReason::ServerCertificateName:
    case CloseReason::ServerCertificateExpired:
    case CloseReason::ServerCertificateEarly:
    case CloseReason::ServerCertificateSelfSigned:
    case CloseReason::ServerCertificateIssuer:
    case CloseReason::ServerCertificateChain:
    case CloseReason::ServerWantsCertificate:
    case CloseReason::ServerSpeaksHttp2:
      return {.connect_failure = true, .upstream_close = true};

    case CloseReason::ServerClosedIdle:
    case CloseReason::ServerResetIdle:
    case CloseReason::BytesWhileIdle:
    case CloseReason::LeftoverBytes:
    case CloseReason::ServerClosed:
    case CloseReason::ServerReset:
    case CloseReason::StaleReuse:
    case CloseReason::ResponseTimeout:
    case CloseReason::ResponseStalled:
    case CloseReason::RequestStalled:
    case CloseReason::BadResponse:
    case CloseReason::ResponseHeadTooLarge:
    case CloseReason::ResponseTooManyFields:
    case CloseReason::AmbiguousLength:
    case CloseReason::UnexpectedUpgrade:
    case CloseReason::ResponseBodyUntilClose:
    case CloseReason::UnfinishedRequest:
    case CloseReason::ClientGone:
    case CloseReason::LearnedLimit:
    case CloseReason::ProxyProtocol:
    case CloseReason::MaxIdle:
    case CloseReason::FinBurst:
    case CloseReason::Retired:
    case CloseReason::BoundLowered:
    case CloseReason::HealthCheck:
    case CloseReason::Drained:
      return {.upstream_close = true};

    // Refusals after which the client's connection lives on.
    case CloseReason::RedirectToHttps:
    case CloseReason::NoRoute:
    case CloseReason::LoopDetected:
    case CloseReason::NoServer:
    case CloseReason::QueueFull:
    case CloseReason::QueueTimeout:
    case CloseReason::ServerAway:
    case CloseReason::UpgradeLimit:
    case CloseReason::NotUpgraded:
    case CloseReason::SpoolFull:
    case CloseReason::SpoolFailed:
    case CloseReason::BadPseudoHeader:
    case CloseReason::ConnectionField:
      return {};
  }
  return {};
}

}  // namespace

bool occurs(CloseReason reason, ReasonUse use) {
  switch (use) {
    case ReasonUse::ClientClose:
      return sides(reason).client_close;
    case ReasonUse::HandshakeFailure:
      return sides(reason).handshake_failure;
    case ReasonUse::Refusal:
      return info(reason).status != 0;
    case ReasonUse::ConnectFailure:
      return sides(reason).connect_failure;
    case ReasonUse::UpstreamClose:
      return sides(reason).upstream_close;
  }
  return false;
}

}  // namespace berth::stats
