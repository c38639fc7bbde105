// What a reload changes: for the log, the metric and the admin page.
#pragma once

#include <string>
#include <vector>

#include "proxy/config/config.h"

namespace berth::config {

// Which of the things that hold sockets outlive a reload. Servers are named "UPSTREAM/ADDRESS",
// listeners by their address; each list is in the order of the configuration it is taken from.
struct ReloadPlan {
  struct Part {
    std::vector<std::string> kept;     // nothing that concerns it has changed
    std::vector<std::string> resized;  // kept with its connections, under new limits or timeouts
    std::vector<std::string> added;
    std::vector<std::string> drained;  // gone: idle connections close, busy ones finish
    bool operator==(const Part&) const = default;
  };
  Part servers;
  Part listeners;
  bool routes_changed = false;
  // Settings that a reload cannot apply: they need a restart. ("workers", "admin.address".)
  std::vector<std::string> ignored;

  bool operator==(const ReloadPlan&) const = default;
};

// Pure. Both configurations must be valid. Addresses are compared in their canonical form.
ReloadPlan plan_reload(const Config& running, const Config& next);

// One line: "servers: 3 kept, 1 added (app/127.0.0.1:3004); listeners: 1 kept; routes unchanged".
std::string to_string(const ReloadPlan& plan);

}  // namespace berth::config
