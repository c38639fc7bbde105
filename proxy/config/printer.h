// The effective configuration as a YAML file: every key with its value, defaults included.
#pragma once

#include <string>

#include "proxy/config/config.h"

namespace berth::config {

// For a valid `config`: the result loads to an equal one.
std::string print(const Config& config);

}  // namespace berth::config
