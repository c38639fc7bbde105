// Why a server and Berth do not come to terms over TLS, for people who have to mend it.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "proxy/base/close_reason.h"

namespace berth::net {

struct ServerTlsFailure {
  CloseReason reason = CloseReason::None;
  // OpenSSL's words, which certificate they are about, which name was asked for, and which setting
  // would mend it; "": nothing more is known.
  std::string detail;
};

// Verifies what servers of this context show, and remembers what was wrong.
void verify_servers(SSL_CTX& context);

// Why `ssl`'s handshake failed, or, after it, why the server has ended the session with an alert:
// in TLS 1.3 it refuses a client's certificate as late as that. Thread: that of the failed call,
// before any other call of OpenSSL.
ServerTlsFailure server_tls_failure(const SSL& ssl);

}  // namespace berth::net
