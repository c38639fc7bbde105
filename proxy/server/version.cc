#include "proxy/server/version.h"

#ifndef BERTH_VERSION
#define BERTH_VERSION "unknown"
#endif

namespace berth::server {

const char* version() {
  return BERTH_VERSION;
}

}  // namespace berth::server
