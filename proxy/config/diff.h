// Which settings a reload changes, and which of them it cannot put into effect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/printer.h"

namespace berth::config {

// The paths whose values differ, in alphabetical order. A part that only one of them has counts.
std::vector<std::string> changed_keys(const Settings& running, const Settings& next);

// Whether a new value of this setting is taken by a restart only.
bool needs_restart(std::string_view key);

}  // namespace berth::config
