// What a reload did, for the log, the metrics and /status: one account for all three.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proxy/server/inventory.h"
#include "proxy/stats/stats.h"

namespace berth::server {

// Of servers, and in the same sense of listeners, upstreams and certificates.
using Fate = stats::PoolAction;

struct ReloadReport {
  struct Entry {
    std::string name;
    Fate fate = Fate::Kept;
    std::vector<std::string> keys;  // Changed: which settings
    std::string note;
  };
  using Part = std::vector<Entry>;

  Part servers;
  Part listeners;
  Part upstreams;
  Part certificates;
  bool routes_changed = false;
  std::vector<std::string> settings;       // changed ones of the whole process
  std::vector<std::string> needs_restart;  // those among them that are not in effect
  std::vector<std::string> problems;       // what could not be done, for people
};

size_t count(const ReloadReport::Part& part, Fate fate);

// Pure.
ReloadReport compare(const Inventory& running, const Inventory& next);

// One line: "servers: 3 kept, 1 added (app/127.0.0.1:3004); listeners: 1 kept; ...".
std::string to_string(const ReloadReport& report);

// A line for each setting that is not in effect yet.
std::vector<std::string> restart_notes(const ReloadReport& report);

// A line for each certificate that is new or has changed: "certificate site.crt has changed, valid
// until 2027-02-26".
std::vector<std::string> certificate_news(const ReloadReport& report);

}  // namespace berth::server
