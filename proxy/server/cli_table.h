// Everything that the command line understands, once. The parser (cli.cc) takes its options from
// this table, and `berth help`, the man page and shell completion are written from it.
#pragma once

#include <span>
#include <string_view>

namespace berth::server {

struct OptionSpec {
  std::string_view flags;  // "-c,--config" as CLI11 reads it; "server" is a positional argument
  std::string_view value;  // placeholder for the value, such as FILE; empty for a switch
  std::string_view help;   // one paragraph
  std::string_view words = {};  // values that a shell can complete, with spaces between them
  std::string_view group = {};  // heading above this option and the ones that follow
};

struct CommandSpec {
  std::string_view name;
  std::string_view alias;                   // another name for it, or empty
  std::string_view summary;                 // one line without a full stop
  std::span<const std::string_view> usage;  // each line without "berth"
  std::span<const OptionSpec> options;
  std::string_view notes;  // paragraphs that end in a newline; may be empty
};

// In the order in which help lists them.
std::span<const CommandSpec> commands();

// The command with this name or alias, or nullptr.
const CommandSpec* find_command(std::string_view name);

// Placeholder of options whose value is the name of a file.
inline constexpr std::string_view kFileValue = "FILE";

inline constexpr std::string_view kAbout =
    "Berth is a reverse proxy for Node.js app servers. It never reuses a connection that the "
    "server "
    "is about to close.";

// Paragraphs about addresses and signals, for the end of the general help and the man page.
inline constexpr std::string_view kAddresses =
    "Addresses: 127.0.0.1:3000, [::1]:3000, app.internal:3000, unix:/run/app.sock. To listen, also "
    ":8080, which means every address of this machine.";

struct SignalSpec {
  std::string_view name;
  std::string_view effect;
};
std::span<const SignalSpec> signals();

}  // namespace berth::server
