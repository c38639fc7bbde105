// What OpenSSL's errors mean to Berth, and to people.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string>

#include "proxy/base/close_reason.h"

namespace berth::net {

// Why the handshake with a client failed, from this thread's error queue. `left`: it hung up.
CloseReason client_handshake_failure(bool left);
// The peer ended the session with an alert, says this thread's error queue.
bool was_alert();
// The newest error of this thread's queue in OpenSSL's words, which is then emptied.
std::string openssl_error();

// RFC 2253, in ASCII without control characters.
std::string subject_of(const X509& certificate);

}  // namespace berth::net
