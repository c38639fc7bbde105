#include "proxy/config/health.h"

#include <algorithm>

#include "proxy/config/status_range.h"

namespace berth::config {

bool status_in(const std::vector<std::string>& ranges, uint16_t status) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const std::string& text) {
    const auto range = parse_status_range(text);
    return range && range->first <= status && status <= range->last;
  });
}

}  // namespace berth::config
