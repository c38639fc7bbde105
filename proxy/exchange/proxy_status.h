// The Proxy-Status error type (RFC 9209 section 2.3) of each reason for which Berth answers itself.
#pragma once

#include <string_view>

#include "proxy/base/close_reason.h"

namespace berth::exchange {

std::string_view proxy_status_error(CloseReason reason);

}  // namespace berth::exchange
