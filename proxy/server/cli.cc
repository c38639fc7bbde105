#include "proxy/server/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/address_syntax.h"
#include "proxy/config/loader.h"
#include "proxy/config/printer.h"
#include "proxy/config/suggest.h"
#include "proxy/server/cli_help.h"
#include "proxy/server/disk_spool.h"
#include "proxy/server/inventory.h"
#include "proxy/server/names.h"

namespace berth::server {
namespace {

constexpr std::array<std::string_view, 7> kCommands = {"run",    "check",   "healthcheck", "drain",
                                                       "resume", "version", "help"};

UsageError usage_error(const std::string& problem, const std::string& hint,
                       std::string_view command) {
  std::string text = "berth: " + problem;
  if (!hint.empty()) text += " (" + hint + ")";
  text += "\nTry 'berth help";
  if (!command.empty()) text += " " + std::string(command);
  return {text + "'.\n"};
}

// The parser and what it fills in.
class Parser {
 public:
  Parser() {
    app_.set_help_flag("-h,--help", "");
    app_.add_flag("-V,--version", version_flag_, "");
    app_.require_subcommand(0, 1);

    run_->add_option("-c,--config", run_args_.file, "");
    repeated("--from", run_args_.flags.from);
    repeated("--to", run_args_.flags.to);
    run_->add_option("--certificate", run_args_.flags.certificate, "");
    run_->add_option("--key", run_args_.flags.key, "");
    run_->add_option("--admin", run_args_.flags.admin, "");
    run_->add_option("--workers", run_args_.flags.workers, "");
    run_->add_option("--access-log", run_args_.flags.access_log, "");
    run_->add_option("--log-file", run_args_.flags.log_file, "");

    check_->add_option("-c,--config,file", check_args_.file, "");
    check_->add_flag("--print", check_args_.print, "");
    healthcheck_->add_option("--admin", healthcheck_args_.admin, "");
    for (CLI::App* command : {drain_, resume_}) {
      command->add_option("server", drain_args_.server, "");
      command->add_option("--upstream", drain_args_.upstream, "");
      command->add_option("--admin", drain_args_.admin, "");
    }
    help_->add_option("command", help_command_, "");
  }

  Command parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
      return chosen();
    } catch (const CLI::CallForHelp&) {
      return Help{std::string(help_text(command()))};
    } catch (const CLI::ExtrasError&) {
      return unknown(app_.remaining(true).front());
    } catch (const CLI::ArgumentMismatch& error) {
      return mismatch(error.what());
    } catch (const CLI::ParseError& error) {
      return usage_error(error.what(), {}, command());
    }
  }

 private:
  // A flag that takes one value each time it is given.
  void repeated(const std::string& name, std::vector<std::string>& values) {
    run_->add_option(name, values, "")->allow_extra_args(false);
  }

  std::string command() const {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? std::string() : chosen.front()->get_name();
  }

  Command chosen() {
    if (version_flag_ || version_->parsed()) return Version{};
    if (run_->parsed()) return checked_run();
    if (check_->parsed()) return checked_check();
    if (healthcheck_->parsed()) return checked_healthcheck();
    if (drain_->parsed()) return checked_drain("drain");
    if (resume_->parsed()) return checked_drain("resume");
    if (!help_->parsed()) return UsageError{std::string(help_text({}))};
    if (help_command_.empty() || is_command(help_command_)) {
      return Help{std::string(help_text(help_command_))};
    }
    return unknown(help_command_);
  }

  // CLI11 names the option, then says what is wrong in words of its own.
  Command mismatch(const std::string& what) const {
    const std::string option = what.substr(0, what.find(':'));
    const bool missing = what.find("missing") != std::string::npos;
    return usage_error(option + (missing ? " needs a value" : " can be given only once"), {},
                       command());
  }

  static bool is_command(std::string_view word) {
    return std::find(kCommands.begin(), kCommands.end(), word) != kCommands.end();
  }

  Command checked_run() {
    const bool has_flags = run_args_.flags != config::Flags{};
    const bool has_file = run_->get_option("--config")->count() != 0;
    if (has_file && has_flags) {
      return usage_error("a file and other options cannot be mixed",
                         "with -c, everything is in the file", "run");
    }
    if (!has_file && !has_flags) {
      return usage_error("nothing to run",
                         "say where to listen and where to send requests: berth run --from :8080 "
                         "--to 127.0.0.1:3000, or name a file: berth run -c FILE",
                         "run");
    }
    if (has_file && run_args_.file.empty()) return usage_error("-c names no file", {}, "run");
    return run_args_;
  }

  Command checked_check() {
    if (!check_args_.file.empty()) return check_args_;
    return usage_error("no file to check", "berth check -c FILE", "check");
  }

  Command checked_healthcheck() {
    const auto parsed = config::parse_listen_address(healthcheck_args_.admin);
    if (parsed) return healthcheck_args_;
    const config::Complaint& complaint = parsed.error();
    return usage_error("--admin: " + complaint.message, complaint.hint, "healthcheck");
  }

  Command checked_drain(const std::string& command) {
    if (drain_args_.server.empty()) {
      return usage_error("which server?", "berth " + command + " 127.0.0.1:3000", command);
    }
    const auto parsed = config::parse_listen_address(drain_args_.admin);
    if (!parsed) {
      return usage_error("--admin: " + parsed.error().message, parsed.error().hint, command);
    }
    drain_args_.path = "/" + command;
    return drain_args_;
  }

  Command unknown(const std::string& word) {
    const std::string in = command();
    if (!word.starts_with('-')) {
      if (!in.empty() && in != "help") {
        return usage_error("'" + word + "' is one word too many", {}, in);
      }
      const std::string_view near = config::nearest(word, kCommands);
      return usage_error("unknown command '" + word + "'", did_you_mean(near), {});
    }
    const std::string flag = word.substr(0, word.find('='));
    for (const CLI::App* other : {run_, check_, healthcheck_, drain_}) {
      if (other->get_name() == in || !has_flag(*other, flag)) continue;
      return usage_error("unknown option '" + flag + "'",
                         "it belongs to berth " + other->get_name(), in);
    }
    std::vector<std::string> names = flags_of(in.empty() ? app_ : *app_.get_subcommand(in));
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    const bool is_long = flag.starts_with("--");  // any short one is near to any other
    const std::string_view near = is_long ? config::nearest(flag, candidates) : std::string_view();
    return usage_error("unknown option '" + flag + "'", did_you_mean(near), in);
  }

  static std::string did_you_mean(std::string_view name) {
    return name.empty() ? std::string() : "did you mean " + std::string(name) + "?";
  }

  static std::vector<std::string> flags_of(const CLI::App& app) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
      for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
    }
    return flags;
  }

  static bool has_flag(const CLI::App& app, const std::string& flag) {
    const std::vector<std::string> flags = flags_of(app);
    return std::find(flags.begin(), flags.end(), flag) != flags.end();
  }

  CLI::App app_{"", "berth"};
  CLI::App* run_ = app_.add_subcommand("run", "");
  CLI::App* check_ = app_.add_subcommand("check", "");
  CLI::App* healthcheck_ = app_.add_subcommand("healthcheck", "");
  CLI::App* drain_ = app_.add_subcommand("drain", "");
  CLI::App* resume_ = app_.add_subcommand("resume", "");
  CLI::App* version_ = app_.add_subcommand("version", "");
  CLI::App* help_ = app_.add_subcommand("help", "");

  Run run_args_;
  Check check_args_;
  Healthcheck healthcheck_args_{config::Admin{}.address};
  DrainCommand drain_args_{
      .path = {}, .server = {}, .upstream = {}, .admin = config::Admin{}.address};
  std::string help_command_;
  bool version_flag_ = false;
};

std::string counted(size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// What the names of servers stand for, as far as it is known here.
void print_names(const config::Config& config, std::ostream& out) {
  for (const config::Upstream& upstream : config.upstreams) {
    for (const config::Server& server : upstream.servers) {
      if (!server.address.is(config::AddressKind::HostName)) continue;
      out << "upstreams." << upstream.name << ": " << server.address.text();
      try {
        out << describe_servers(resolve_server(server.address, config.resolver)) << '\n';
      } catch (const std::runtime_error& error) {
        out << " is not known here: " << error.what() << '\n';
      }
    }
  }
}

}  // namespace

Command parse_cli(int argc, const char* const* argv) {
  return Parser().parse(argc, argv);
}

int run_check(const Check& check, std::ostream& out, std::ostream& err) {
  config::LoadResult result = config::load_file(check.file);
  TlsPlan::load(result, std::make_shared<const net::TicketKeys>());
  check_spool_folder(result);
  for (const config::Diagnostic& diagnostic : result.diagnostics) {
    err << to_string(diagnostic, check.file) << '\n';
  }
  if (!result.ok()) {
    err << check.file << ": " << counted(result.errors, "error") << '\n';
    return kExitUsage;
  }
  if (check.print) {
    out << config::print(*result.config);
  } else {
    print_names(*result.config, out);
    out << check.file << ": ok\n";
  }
  return 0;
}

Loaded load(const Run& run, const TicketKeysPtr& ticket_keys) {
  Loaded out;
  out.result = run.file.empty() ? config::load_flags(run.flags) : config::load_file(run.file);
  out.tls = TlsPlan::load(out.result, ticket_keys);
  check_spool_folder(out.result);
  return out;
}

std::vector<std::string> lines_of(const Run& run,
                                  const std::vector<config::Diagnostic>& diagnostics) {
  const std::string where = run.file.empty() ? "berth" : run.file;
  std::vector<std::string> lines;
  lines.reserve(diagnostics.size());
  for (const config::Diagnostic& diagnostic : diagnostics) {
    lines.push_back(to_string(diagnostic, where));
  }
  return lines;
}

std::string line_of(const Run& run, const config::Places& places,
                    const config::SettingError& error) {
  const config::Mark at = config::place_of(places, error.setting());
  return lines_of(run, {{config::Level::Error, at.line, at.column, error.what(), {}}}).front();
}

}  // namespace berth::server
