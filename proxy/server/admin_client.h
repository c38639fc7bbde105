// Talks to the admin listener of a running berth: what the command line does for an operator.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace berth::server {

struct AdminAnswer {
  int status = 0;  // 0: it was no HTTP
  std::string body;
};

// One request; blocks for 3 s at most between two bytes. The failure is one line for people.
// `admin_address` may be any that a listener can have; ":9145" is asked for on this machine.
Result<AdminAnswer, std::string> ask_admin(const std::string& admin_address,
                                           std::string_view method, std::string_view target);

// Returns the body of an answer of 200. Otherwise says on standard error what is wrong.
std::optional<std::string> ask_or_complain(const std::string& admin_address,
                                           std::string_view method, std::string_view target);

// Asks, and writes the answer to standard output, or what is wrong to standard error: 0 or 1.
int run_ask(const std::string& admin_address, std::string_view method, std::string_view target);

// `text` as a value in a query.
std::string percent_encode(std::string_view text);

// `berth drain` and `berth resume` (`path`): 0 if it is done, 1 otherwise. Says which servers on
// standard output, and what is wrong on standard error.
struct DrainCommand {
  std::string path;  // "/drain" or "/resume"
  std::string server;
  std::string upstream;  // "": wherever the server is
  std::string admin;
  bool operator==(const DrainCommand&) const = default;
};
int run_drain(const DrainCommand& command);

// `berth reload`: as SIGHUP, and says what it did or why it was rejected.
struct ReloadCommand {
  std::string admin;
  bool operator==(const ReloadCommand&) const = default;
};

}  // namespace berth::server
