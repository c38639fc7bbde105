// What a failed connect() means.
#pragma once

#include "proxy/base/close_reason.h"

namespace berth::net {

// From errno.
CloseReason reason_for_connect_error(int error);

}  // namespace berth::net
