// The command line: what berth is asked to do. Parsing only; main() acts on it.
#pragma once

#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

#include "proxy/config/from_flags.h"
#include "proxy/config/loader.h"
#include "proxy/config/setting_error.h"
#include "proxy/server/admin_client.h"
#include "proxy/server/status_text.h"
#include "proxy/server/tls_plan.h"

namespace berth::server {

// Serve. From a file, or from flags if `file` is empty.
struct Run {
  std::string file;
  config::Flags flags;
  bool operator==(const Run&) const = default;
};

// Check a configuration file and say what is wrong with it.
struct Check {
  std::string file;
  bool print = false;  // the effective configuration too
  bool operator==(const Check&) const = default;
};

// Ask a running berth's admin listener whether it is well (for containers).
struct Healthcheck {
  std::string admin;  // address
  bool operator==(const Healthcheck&) const = default;
};

struct Version {
  bool operator==(const Version&) const = default;
};

struct Help {
  std::string text;  // ends in a newline
  bool operator==(const Help&) const = default;
};

// Nothing that can be done: goes to standard error, exit status kExitUsage.
struct UsageError {
  std::string text;  // ends in a newline
  bool operator==(const UsageError&) const = default;
};

using Command = std::variant<Run, Check, Healthcheck, DrainCommand, ReloadCommand, StatusCommand,
                             Version, Help, UsageError>;

inline constexpr int kExitUsage = 2;  // a wrong command line or configuration

// Never exits or prints. `argv[0]` is the program.
Command parse_cli(int argc, const char* const* argv);

// The body of `berth check`: 0 if the file is right, kExitUsage if not. Writes "FILE: ok" (or, with
// `print`, the configuration) to `out`, errors and warnings to `err`.
int run_check(const Check& check, std::ostream& out, std::ostream& err);

// A configuration with everything that it is made of, read at one moment.
struct Loaded {
  config::LoadResult result;  // no config: there was an error
  TlsPlanPtr tls;             // nullptr: likewise
};

// Loads what `run` asks for.
Loaded load(const Run& run, const TicketKeysPtr& ticket_keys);

// One line for each of the diagnostics, as `berth check` writes them.
std::vector<std::string> lines_of(const Run& run,
                                  const std::vector<config::Diagnostic>& diagnostics);
// The same for a setting that cannot be put into effect.
std::string line_of(const Run& run, const config::Places& places,
                    const config::SettingError& error);

}  // namespace berth::server
