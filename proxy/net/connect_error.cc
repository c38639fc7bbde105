#include "proxy/net/connect_error.h"

#include <cerrno>

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
  switch (reason) {
    case CloseReason::ServerCertificate:
    case CloseReason::ServerCertificateName:
    case CloseReason::ServerCertificateExpired:
    case CloseReason::ServerCertificateEarly:
    case CloseReason::ServerCertificateSelfSigned:
    case CloseReason::ServerCertificateIssuer:
    case CloseReason::ServerCertificateChain:
    case CloseReason::ServerWantsCertificate:
      return true;
    default:
      return false;
  }
}

}  // namespace berth::net
