// What someone who wrote an unknown key most likely wanted.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace berth::config {

// Every key of the schema as a path: "listeners[].address", "upstreams.*.pool.max_idle".
const std::vector<std::string>& all_keys();

// A hint for the unknown `key`, found at `path` ("upstreams.app"), where `known` would be right:
// the nearest known key, another program's name for one, or the place where the key belongs. Or "".
std::string unknown_key_hint(std::string_view key, std::string_view path,
                             std::span<const std::string_view> known);

}  // namespace berth::config
