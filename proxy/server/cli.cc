#include "proxy/server/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/address_syntax.h"
#include "proxy/config/loader.h"
#include "proxy/config/printer.h"
#include "proxy/config/suggest.h"
#include "proxy/server/access_log.h"
#include "proxy/server/cli_help.h"
#include "proxy/server/cli_table.h"
#include "proxy/server/config_reference.h"
#include "proxy/server/disk_spool.h"
#include "proxy/server/inventory.h"
#include "proxy/server/names.h"
#include "proxy/server/port_check.h"
#include "proxy/server/version.h"

namespace berth::server {
namespace {

std::vector<std::string_view> command_names() {
  std::vector<std::string_view> names;
  for (const CommandSpec& command : commands()) {
    names.push_back(command.name);
    if (!command.alias.empty()) names.push_back(command.alias);
  }
  return names;
}

UsageError usage_error(const std::string& problem, const std::string& hint,
                       std::string_view command) {
  std::string text = "berth: " + problem;
  if (!hint.empty()) text += " (" + hint + ")";
  text += "\nTry 'berth help";
  if (!command.empty()) text += " " + std::string(command);
  return {text + "'.\n"};
}

// The parser and what it fills in. Commands and their options are those of the table.
class Parser {
 public:
  Parser() {
    app_.set_help_flag("-h,--help", "");
    app_.require_subcommand(0, 1);
    app_.add_flag("-V,--version", version_flag_, "");
    for (const CommandSpec& command : commands()) {
      CLI::App* added = app_.add_subcommand(std::string(command.name), "");
      if (!command.alias.empty()) added->alias(std::string(command.alias));
      added->add_flag("-V,--version", version_flag_, "");
    }
    bind("run", "--config", run_args_.file);
    repeated("--from", run_args_.flags.from);
    repeated("--to", run_args_.flags.to);
    bind("run", "--certificate", run_args_.flags.certificate);
    bind("run", "--key", run_args_.flags.key);
    bind("run", "--admin", run_args_.flags.admin);
    bind("run", "--workers", run_args_.flags.workers);
    bind("run", "--access-log", run_args_.flags.access_log);
    bind("run", "--log-file", run_args_.flags.log_file);
    bind("check", "--config", check_args_.file);
    flag("check", "--print", check_args_.print);
    bind("healthcheck", "--admin", healthcheck_args_.admin);
    for (const std::string_view command : {"drain", "resume"}) {
      bind(command, "server", drain_args_.server);
      bind(command, "--upstream", drain_args_.upstream);
      bind(command, "--admin", drain_args_.admin);
    }
    bind("reload", "--admin", reload_args_.admin);
    bind("status", "--admin", status_args_.admin);
    flag("status", "--json", status_args_.json);
    bind("completion", "shell", shell_);
    bind("help", "topic", help_topic_);
    bind("help", "key", help_key_);
    flag("help", "--markdown", help_markdown_);
    flag("help", "--man", help_man_);
  }

  Command parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
      return chosen();
    } catch (const CLI::CallForHelp&) {
      return Help{help_text(command())};
    } catch (const CLI::ExtrasError&) {
      return unknown(app_.remaining(true).front());
    } catch (const CLI::ArgumentMismatch& error) {
      return mismatch(error.what());
    } catch (const CLI::ParseError& error) {
      return usage_error(error.what(), {}, command());
    }
  }

 private:
  // The names that the table has for the option `name` of `command`, as CLI11 takes them.
  static std::string names_of(std::string_view command, std::string_view name) {
    for (const OptionSpec& option : find_command(command)->options) {
      const std::string list = "," + std::string(option.flags) + ",";
      if (list.find("," + std::string(name) + ",") != std::string::npos) {
        return std::string(option.flags);
      }
    }
    return std::string(name);
  }
  template <class T>
  CLI::Option* bind(std::string_view command, std::string_view name, T& value) {
    return sub(command)->add_option(names_of(command, name), value, "");
  }
  void flag(std::string_view command, std::string_view name, bool& value) {
    sub(command)->add_flag(names_of(command, name), value, "");
  }
  // An option of `run` that takes one value each time it is given.
  void repeated(std::string_view name, std::vector<std::string>& values) {
    bind("run", name, values)->allow_extra_args(false);
  }
  CLI::App* sub(std::string_view command) const {
    return app_.get_subcommand(std::string(command));
  }
  bool is_chosen(std::string_view command) const { return sub(command)->parsed(); }

  std::string command() const {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? std::string() : chosen.front()->get_name();
  }

  Command chosen() {
    if (version_flag_ || is_chosen("version")) return Version{};
    if (is_chosen("run")) return checked_run();
    if (is_chosen("check")) return checked_check();
    if (is_chosen("healthcheck")) return checked_admin(healthcheck_args_, "healthcheck");
    if (is_chosen("drain")) return checked_drain("drain");
    if (is_chosen("resume")) return checked_drain("resume");
    if (is_chosen("reload")) return checked_admin(reload_args_, "reload");
    if (is_chosen("status")) return checked_admin(status_args_, "status");
    if (is_chosen("completion")) return completion();
    if (is_chosen("help")) return help();
    return UsageError{help_text({})};
  }

  Command help() const {
    if (help_man_) return Help{man_page(version())};
    if (help_topic_ == "config") return help_on_config();
    if (help_markdown_) return usage_error("--markdown needs config", "berth help config", "help");
    if (!help_key_.empty()) {
      return usage_error(quoted(help_key_) + " is one word too many", {}, "help");
    }
    if (!help_topic_.empty() && !is_command(help_topic_)) return unknown(help_topic_);
    return Help{help_text(help_topic_)};
  }

  Command help_on_config() const {
    if (help_markdown_) return Help{config_markdown()};
    std::string text = config_help(help_key_);
    if (!text.empty()) return Help{std::move(text)};
    return usage_error("unknown key " + quoted(help_key_), did_you_mean(nearest_key(help_key_)),
                       "config");
  }

  Command completion() const {
    std::string script = completion_script(shell_);
    if (!script.empty()) return Help{std::move(script)};
    const std::string problem = shell_.empty() ? "which shell?" : "unknown shell " + quoted(shell_);
    return usage_error(problem, "bash, zsh or fish", "completion");
  }

  // CLI11 names the option, then says what is wrong in words of its own.
  Command mismatch(const std::string& what) const {
    const std::string option = what.substr(0, what.find(':'));
    const bool missing = what.find("missing") != std::string::npos;
    return usage_error(option + (missing ? " needs a value" : " can be given only once"), {},
                       command());
  }

  static std::string quoted(const std::string& word) { return "'" + word + "'"; }

  static bool is_command(std::string_view word) { return find_command(word) != nullptr; }

  Command checked_run() {
    const bool has_flags = run_args_.flags != config::Flags{};
    const bool has_file = sub("run")->get_option("--config")->count() != 0;
    if (has_file && has_flags) {
      return usage_error("a file and other options cannot be mixed",
                         "the file " + quoted(run_args_.file) + " then holds every setting", "run");
    }
    if (!has_file && !has_flags) {
      return usage_error("nothing to run",
                         "name an app server: berth run --to 127.0.0.1:3000, or a file: berth run "
                         "-c FILE",
                         "run");
    }
    if (has_file && run_args_.file.empty()) return usage_error("-c names no file", {}, "run");
    return run_args_;
  }

  Command checked_check() {
    if (!check_args_.file.empty()) return check_args_;
    return usage_error("no file to check", "berth check -c FILE", "check");
  }

  // A command that only needs to know where the admin listener is.
  template <class Asks>
  static Command checked_admin(const Asks& command, std::string_view name) {
    const auto parsed = config::parse_listen_address(command.admin);
    if (parsed) return command;
    return usage_error("--admin: " + parsed.error().message, parsed.error().hint, name);
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

  Command unknown(const std::string& word) const {
    const std::string in = command();
    if (!word.starts_with('-')) {
      if (!in.empty() && in != "help") {
        return usage_error("'" + word + "' is one word too many", {}, in);
      }
      const std::string_view near = config::nearest(word, command_names());
      return usage_error("unknown command '" + word + "'", did_you_mean(near), {});
    }
    const std::string flag = word.substr(0, word.find('='));
    for (const CommandSpec& other : commands()) {
      if (other.name == in || !has_flag(*sub(other.name), flag)) continue;
      return usage_error("unknown option '" + flag + "'",
                         "it belongs to berth " + std::string(other.name), in);
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
  Run run_args_;
  Check check_args_;
  Healthcheck healthcheck_args_{config::Admin{}.address};
  ReloadCommand reload_args_{config::Admin{}.address};
  StatusCommand status_args_{config::Admin{}.address};
  DrainCommand drain_args_{
      .path = {}, .server = {}, .upstream = {}, .admin = config::Admin{}.address};
  std::string shell_;
  std::string help_topic_;
  std::string help_key_;
  bool help_markdown_ = false;
  bool help_man_ = false;
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
  check_access_log(result);
  check_ports(result);
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
