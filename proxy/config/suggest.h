// "Did you mean": the valid name that is nearest to a wrong one.
#pragma once

#include <span>
#include <string_view>

namespace berth::config {

// The candidate with the smallest edit distance to `word`, letter case and '-' for '_' disregarded.
// Empty if none is near enough to be meant. Views into `candidates`.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace berth::config
