#include "proxy/net/connect_error.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace berth::net {

CloseReason reason_for_connect_error(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ENOENT:  // a Unix socket that is not there
      return CloseReason::ConnectRefused;
    case ETIMEDOUT:
      return CloseReason::ConnectTimeout;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
      return CloseReason::ConnectUnreachable;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EAGAIN:  // a Unix socket whose backlog is full
      return CloseReason::NoLocalResources;
    default:
      return CloseReason::ConnectFailed;
  }
}

bool never_connected(CloseReason reason) {
  return reason == CloseReason::ConnectRefused || reason == CloseReason::ConnectUnreachable ||
         reason == CloseReason::ConnectFailed || reason == CloseReason::NoLocalResources;
}

bool is_certificate_failure(CloseReason reason) {
  static constexpr CloseReason kAll[] = {
      CloseReason::ServerCertificate,           CloseReason::ServerCertificateName,
      CloseReason::ServerCertificateExpired,    CloseReason::ServerCertificateEarly,
      CloseReason::ServerCertificateSelfSigned, CloseReason::ServerCertificateIssuer,
      CloseReason::ServerCertificateChain,      CloseReason::ServerWantsCertificate,
  };
  return std::find(std::begin(kAll), std::end(kAll), reason) != std::end(kAll);
}

}  // namespace berth::net
