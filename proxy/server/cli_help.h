// The texts of `berth help`.
#pragma once

#include <string_view>

namespace berth::server {

// About `command` ("run", "check", ...), or about berth itself if there is no such command.
std::string_view help_text(std::string_view command);

}  // namespace berth::server
