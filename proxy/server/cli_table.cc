#include "proxy/server/cli_table.h"

#include <array>

namespace berth::server {
namespace {

using Lines = std::string_view;

constexpr OptionSpec kAdmin{"--admin", "ADDRESS", "the admin listener (default 127.0.0.1:9145)"};

constexpr std::array<Lines, 2> kRunUsage = {"run --to ADDRESS... [--from ADDRESS...] [OPTION...]",
                                            "run -c FILE"};
constexpr std::array kRunOptions = {
    OptionSpec{"-c,--config,file", kFileValue,
               "the configuration (YAML), which then holds every setting; 'berth run FILE' does "
               "the same"},
    OptionSpec{"--to",
               "ADDRESS",
               "an app server; repeat it for several. 127.0.0.1:3000-3003 means four servers, 3000 "
               "a port of this machine; http:// and https:// may come first",
               {},
               "Without a file:"},
    OptionSpec{"--from", "ADDRESS", "where to listen (default :8080); repeat it for several"},
    OptionSpec{"--certificate", kFileValue, "serve TLS with this certificate and its chain (PEM)"},
    OptionSpec{"--key", kFileValue, "the private key of the certificate (PEM)"},
    OptionSpec{"--admin", "ADDRESS",
               "where to serve metrics and health pages (default 127.0.0.1:9145), or off"},
    OptionSpec{"--workers", "N", "threads (default auto: one for each core)", "auto"},
    OptionSpec{"--access-log", "FORMAT", "json (default), combined or off", "json combined off"},
    OptionSpec{"--log-file", kFileValue,
               "write the access log to this file (default -: standard output)"},
};

constexpr std::array<Lines, 1> kCheckUsage = {"check -c FILE [--print]"};
constexpr std::array kCheckOptions = {
    OptionSpec{"-c,--config,file", kFileValue,
               "the configuration (YAML); 'berth check FILE' does the same"},
    OptionSpec{"--print", {}, "print the effective configuration, with every default filled in"},
};

constexpr std::array<Lines, 1> kHealthcheckUsage = {"healthcheck [--admin ADDRESS]"};
constexpr std::array kHealthcheckOptions = {kAdmin};

constexpr OptionSpec kServer{"server", "SERVER",
                             "an app server as the configuration names it, or its address"};
constexpr OptionSpec kUpstream{"--upstream", "NAME",
                               "only in this upstream (default: wherever the server is)"};
constexpr std::array kDrainOptions = {kServer, kUpstream, kAdmin};
constexpr std::array<Lines, 1> kDrainUsage = {"drain SERVER [--upstream NAME] [--admin ADDRESS]"};
constexpr std::array<Lines, 1> kResumeUsage = {"resume SERVER [--upstream NAME] [--admin ADDRESS]"};

constexpr std::array<Lines, 1> kReloadUsage = {"reload [--admin ADDRESS]"};
constexpr std::array kReloadOptions = {kAdmin};

constexpr std::array<Lines, 1> kStatusUsage = {"status [--json] [--admin ADDRESS]"};
constexpr std::array kStatusOptions = {
    OptionSpec{"--json", {}, "everything, as GET /status has it"},
    kAdmin,
};

constexpr std::array<Lines, 1> kCompletionUsage = {"completion SHELL"};
constexpr std::array kCompletionOptions = {
    OptionSpec{"shell", "SHELL", "bash, zsh or fish", "bash zsh fish"}};

constexpr std::array<Lines, 1> kVersionUsage = {"version"};

constexpr std::array<Lines, 3> kHelpUsage = {"help [COMMAND]", "help config [KEY] [--markdown]",
                                             "help --man"};
constexpr std::array kHelpOptions = {
    OptionSpec{"topic", "COMMAND", "a command, or config"},
    OptionSpec{"key", "KEY",
               "a key of the configuration, or the end of its path: pool.max_connections"},
    OptionSpec{"--markdown", {}, "with config: every key, as docs/configuration.md has them"},
    OptionSpec{"--man", {}, "print the man page (berth help --man | man -l -)"},
};

constexpr std::array kCommands = {
    CommandSpec{"run",
                {},
                "Serve requests until TERM or INT",
                kRunUsage,
                kRunOptions,
                R"(Example:
  berth run --to 3000
  berth run --from 127.0.0.1:80 --from "[::1]:80" --to 127.0.0.1:3000-3003

Exit status: 0 after a stop, 1 if Berth cannot start, 2 if the configuration is wrong.
)"},
    CommandSpec{
        "check", "validate",
        "Find every mistake in a configuration file, and settings that will race", kCheckUsage,
        kCheckOptions,
        R"(Berth serves nothing while it checks. 'berth validate' is another name for this command.

Exit status: 0 if the file is right (there may be warnings), 2 if not.
)"},
    CommandSpec{"healthcheck",
                {},
                "Ask a running Berth whether it is healthy",
                kHealthcheckUsage,
                kHealthcheckOptions,
                R"(Sends GET /healthz to the admin listener.

Exit status: 0 if the answer is 200, 1 if not.
)"},
    CommandSpec{"status",
                {},
                "Show the listeners, servers and queues of a running Berth",
                kStatusUsage,
                kStatusOptions,
                R"(Exit status: 0 if Berth answers, 1 if not.
)"},
    CommandSpec{
        "reload",
        {},
        "Have a running Berth read its configuration again",
        kReloadUsage,
        kReloadOptions,
        R"(The same as the signal HUP, and prints what the reload did, or why Berth keeps the configuration
that it has.

Exit status: 0 if the new configuration is in effect, 1 if not.
)"},
    CommandSpec{
        "drain",
        {},
        "Stop sending new requests to an app server",
        kDrainUsage,
        kDrainOptions,
        R"(A draining server gets new requests only from its sticky sessions. Its idle connections close,
requests in progress finish, and upgraded connections (WebSocket) stay open. /status and
berth_upstream_connections show when nothing is left.

The server drains, through reloads too, until you run 'berth resume', until Berth restarts, or until
the server leaves the configuration.

Exit status: 0 if it worked, 1 if there is no such server or no running Berth.
)"},
    CommandSpec{"resume",
                {},
                "Put a drained app server back into service",
                kResumeUsage,
                kDrainOptions,
                R"(Exit status: 0 if it worked, 1 if there is no such server or no running Berth.
)"},
    CommandSpec{"completion",
                {},
                "Print the completion script of a shell",
                kCompletionUsage,
                kCompletionOptions,
                R"(Example:
  source <(berth completion bash)
  berth completion zsh > "${fpath[1]}/_berth"
  berth completion fish > ~/.config/fish/completions/berth.fish
)"},
    CommandSpec{"version", {}, "Print the version", kVersionUsage, {}, {}},
    CommandSpec{"help",
                {},
                "Explain a command or a key of the configuration",
                kHelpUsage,
                kHelpOptions,
                R"(Example:
  berth help run
  berth help config queue_timeout
)"},
};

constexpr std::array kSignals = {
    SignalSpec{"HUP", "read the configuration file again; if it is wrong, nothing changes"},
    SignalSpec{"TERM",
               "serve on for shutdown.delay and tell clients to go, then stop accepting and finish "
               "requests in progress; the second one stops at once"},
    SignalSpec{"INT", "the same as TERM, without the delay"},
    SignalSpec{"USR1", "open the access log again, after a rotation"},
};

}  // namespace

std::span<const CommandSpec> commands() {
  return kCommands;
}

const CommandSpec* find_command(std::string_view name) {
  for (const CommandSpec& command : kCommands) {
    if (command.name == name || (!name.empty() && command.alias == name)) return &command;
  }
  return nullptr;
}

std::span<const SignalSpec> signals() {
  return kSignals;
}

}  // namespace berth::server
