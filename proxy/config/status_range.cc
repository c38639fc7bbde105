#include "proxy/config/status_range.h"

#include <charconv>

namespace berth::config {
namespace {

std::optional<uint16_t> parse_status(std::string_view text) {
  uint16_t status = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, status);
  if (text.size() != 3 || error != std::errc() || stopped != end) return std::nullopt;
  if (status < 200 || status > 599) return std::nullopt;
  return status;
}

}  // namespace

std::optional<StatusRange> parse_status_range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = parse_status(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_status(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return StatusRange{*first, *last};
}

}  // namespace berth::config
