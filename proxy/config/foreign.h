// Recognises the configuration of another proxy, which somebody has handed to Berth as it is.
#pragma once

#include <optional>
#include <string_view>

#include "proxy/config/diagnostics.h"

namespace berth::config {

struct Foreign {
  Complaint complaint;
  uint32_t line = 0;  // that shows it, from 1
};

// Looks for lines that only nginx, Caddy or HAProxy would understand. nullopt: there are none.
std::optional<Foreign> recognise_foreign(std::string_view text);

}  // namespace berth::config
