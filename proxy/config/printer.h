// The effective configuration as a YAML file: every key with its value, defaults included.
#pragma once

#include <map>
#include <string>

#include "proxy/config/config.h"

namespace berth::config {

// For a valid `config`: the result loads to an equal one.
std::string print(const Config& config);

// Every key by its path, "pool.max_idle" or "servers[0].address", with its value as print() writes
// it.
using Settings = std::map<std::string, std::string>;
Settings settings_of(const Config& config);
Settings settings_of(const Listener& listener);
Settings settings_of(const Upstream& upstream);

}  // namespace berth::config
