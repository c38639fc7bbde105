// `berth status`: what /status says, as a person reads it in a terminal.
#pragma once

#include <string>
#include <string_view>

namespace berth::server {

struct StatusCommand {
  std::string admin;  // address
  bool json = false;  // /status as it is
  bool operator==(const StatusCommand&) const = default;
};

// `status`: the JSON of /status. "" if it is none.
std::string status_text(std::string_view status);

// Asks and prints: 0, or 1 if nobody answers.
int run_status(const StatusCommand& command);

}  // namespace berth::server
