// What a failed connect() means.
#pragma once

#include "proxy/base/close_reason.h"

namespace berth::net {

// From errno.
CloseReason reason_for_connect_error(int error);

// True if a connect() that failed for this reason left nothing behind at the server.
bool never_connected(CloseReason reason);

// True if a certificate stood in the way, the server's or ours: that does not mend itself in a
// moment.
bool is_certificate_failure(CloseReason reason);

}  // namespace berth::net
