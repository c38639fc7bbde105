// `berth healthcheck`: asks a running berth whether it is well.
#pragma once

#include <string>

namespace berth::server {

// 0 if GET /healthz on the admin listener answers 200, 1 otherwise (and says why on standard
// error).
int run_healthcheck(const std::string& admin_address);

}  // namespace berth::server
