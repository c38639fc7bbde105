// How the host names of servers are resolved.
#pragma once

#include <string>
#include <vector>

#include "proxy/base/time.h"

namespace berth::config {

struct Resolver {
  bool enabled = true;                   // again and again; false: at start and on reload only
  std::vector<std::string> nameservers;  // "10.0.0.2:53"; none: those of the system
  Duration min_ttl = std::chrono::seconds(1);
  Duration max_ttl = std::chrono::minutes(5);
  bool operator==(const Resolver&) const = default;
};

}  // namespace berth::config
