// What berth check finds out about the ports that a configuration wants.
#pragma once

#include "proxy/config/loader.h"

namespace berth::server {

// Adds a warning for each listener whose port is taken. No error: what is in the way may be gone
// when Berth starts.
void check_ports(config::LoadResult& loaded);

}  // namespace berth::server
