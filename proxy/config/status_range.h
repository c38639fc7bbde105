// Status codes as configurations name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace berth::config {

struct StatusRange {
  uint16_t first;
  uint16_t last;
};

// "204" or "200-399", within 200 to 599. None if it is neither.
std::optional<StatusRange> parse_status_range(std::string_view text);

}  // namespace berth::config
