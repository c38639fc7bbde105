#include "proxy/server/cli.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/config/loader.h"
#include "proxy/net/address.h"
#include "proxy/server/cli_help.h"
#include "proxy/server/cli_table.h"
#include "proxy/server/config_reference.h"

namespace berth::server {
namespace {

// Splits at blanks, as a shell would without quotes.
Command parse(const std::string& line) {
  std::istringstream words("berth " + line);
  std::vector<std::string> args;
  for (std::string word; words >> word;) args.push_back(word);
  std::vector<const char*> argv;
  for (const std::string& arg : args) argv.push_back(arg.c_str());
  return parse_cli(static_cast<int>(argv.size()), argv.data());
}

template <class T>
T as(const std::string& line) {
  const Command command = parse(line);
  if (const T* found = std::get_if<T>(&command)) return *found;
  ADD_FAILURE() << "berth " << line << " gives alternative " << command.index();
  if (const auto* error = std::get_if<UsageError>(&command)) ADD_FAILURE() << error->text;
  return {};
}

// The first line of what a wrong command line is told.
std::string problem(const std::string& line) {
  const std::string text = as<UsageError>(line).text;
  EXPECT_TRUE(text.ends_with("\n")) << text;
  return text.substr(0, text.find('\n'));
}

TEST(Cli, RunWithFlags) {
  EXPECT_EQ(as<server::Run>("run --from :8080 --to a:1 --to b:2 --from :8081"),
            (server::Run{"", {.from = {":8080", ":8081"}, .to = {"a:1", "b:2"}}}));
  EXPECT_EQ(as<server::Run>("run --from=:80 --to=a:1 --admin off --workers 2 --access-log combined "
                            "--log-file /var/log/a"),
            (server::Run{"",
                         {.from = {":80"},
                          .to = {"a:1"},
                          .admin = "off",
                          .workers = "2",
                          .access_log = "combined",
                          .log_file = "/var/log/a"}}));
}

TEST(Cli, RunWithAFile) {
  EXPECT_EQ(as<server::Run>("run -c a.yaml"), (server::Run{"a.yaml", {}}));
  EXPECT_EQ(as<server::Run>("run --config a.yaml"), (server::Run{"a.yaml", {}}));
  EXPECT_EQ(as<server::Run>("run --config=a.yaml"), (server::Run{"a.yaml", {}}));
  EXPECT_EQ(as<server::Run>("run a.yaml"), (server::Run{"a.yaml", {}}));
}

TEST(Cli, RunTriesNothingOfItsOwn) {
  EXPECT_EQ(problem("run"),
            "berth: nothing to run (name an app server: berth run --to 127.0.0.1:3000, or a file: "
            "berth run -c FILE)");
  EXPECT_EQ(problem("run -c a.yaml --to a:1"),
            "berth: a file and other options cannot be mixed (the file 'a.yaml' then holds every "
            "setting)");
  EXPECT_EQ(problem("run a.yaml --workers 2"),
            "berth: a file and other options cannot be mixed (the file 'a.yaml' then holds every "
            "setting)");
  EXPECT_EQ(problem("run --config="), "berth: --config needs a value");
}

TEST(Cli, CheckAFile) {
  EXPECT_EQ(as<Check>("check -c a.yaml"), (Check{"a.yaml", false}));
  EXPECT_EQ(as<Check>("check a.yaml"), (Check{"a.yaml", false}));
  EXPECT_EQ(as<Check>("validate a.yaml"), (Check{"a.yaml", false}));
  EXPECT_EQ(as<Check>("check --print -c a.yaml"), (Check{"a.yaml", true}));
  EXPECT_EQ(problem("check"), "berth: no file to check (berth check -c FILE)");
  EXPECT_EQ(problem("check a b"), "berth: 'b' is one word too many");
}

TEST(Cli, HealthcheckAsksTheDefaultAdmin) {
  EXPECT_EQ(as<Healthcheck>("healthcheck").admin, config::Admin{}.address);
  EXPECT_EQ(as<Healthcheck>("healthcheck --admin [::1]:1").admin, "[::1]:1");
  EXPECT_EQ(problem("healthcheck --admin 9145"),
            "berth: --admin: '9145' is a port without a host (did you mean :9145?)");
}

TEST(Cli, DrainAndResume) {
  const std::string admin = config::Admin{}.address;
  EXPECT_EQ(as<ReloadCommand>("reload"), (ReloadCommand{admin}));
  EXPECT_EQ(as<StatusCommand>("status --json --admin :1"), (StatusCommand{":1", true}));
  EXPECT_EQ(as<DrainCommand>("drain 10.0.0.1:80"),
            (DrainCommand{"/drain", "10.0.0.1:80", "", admin}));
  EXPECT_EQ(as<DrainCommand>("resume unix:/a.sock --upstream app --admin :1"),
            (DrainCommand{"/resume", "unix:/a.sock", "app", ":1"}));
  EXPECT_EQ(problem("drain"), "berth: which server? (berth drain 127.0.0.1:3000)");
  EXPECT_EQ(problem("resume a b"), "berth: 'b' is one word too many");
  EXPECT_EQ(problem("drain a:1 --admin 9145"),
            "berth: --admin: '9145' is a port without a host (did you mean :9145?)");
}

TEST(Cli, Version) {
  as<Version>("version");
  as<Version>("--version");
  as<Version>("-V");
  for (const CommandSpec& command : commands()) {
    as<Version>(std::string(command.name) + " --version");
    as<Version>(std::string(command.name) + " -V");
  }
}

TEST(Cli, HelpOnEachCommand) {
  for (const std::string line : {"help", "--help", "-h"}) {
    EXPECT_EQ(as<Help>(line).text, help_text("")) << line;
  }
  for (const CommandSpec& spec : commands()) {
    const std::string command(spec.name);
    EXPECT_EQ(as<Help>("help " + command).text, help_text(command));
    EXPECT_EQ(as<Help>(command + " --help").text, help_text(command));
    EXPECT_EQ(as<Help>(command + " -h").text, help_text(command));
    EXPECT_NE(help_text(command), help_text("")) << command;
    EXPECT_NE(help_text("").find("berth " + command), std::string::npos) << command;
    EXPECT_TRUE(help_text(command).ends_with("\n")) << command;
  }
  EXPECT_EQ(as<Help>("help validate").text, help_text("check"));
  EXPECT_EQ(as<Help>("validate --help").text, help_text("check"));
}

TEST(Cli, NothingAtAllIsAnsweredWithHelp) {
  EXPECT_EQ(as<UsageError>("").text, help_text(""));
}

TEST(Cli, HelpFitsTheTerminal) {
  for (const CommandSpec& command : commands()) {
    for (const std::string& text : {help_text(command.name), help_text("")}) {
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
    }
  }
}

// What help, the man page and completion tell can be done, the parser takes, and nothing else.
TEST(Cli, TheParserTakesTheOptionsOfTheTable) {
  for (const CommandSpec& command : commands()) {
    for (const OptionSpec& option : command.options) {
      std::istringstream flags{std::string(option.flags)};
      for (std::string flag; std::getline(flags, flag, ',');) {
        const std::string line = std::string(command.name) + " " + flag;
        if (!flag.starts_with('-')) continue;
        const Command parsed = parse(line + (option.value.empty() ? "" : " x"));
        const auto* error = std::get_if<UsageError>(&parsed);
        if (error == nullptr) continue;
        EXPECT_EQ(error->text.find("unknown option"), std::string::npos) << error->text;
        EXPECT_EQ(error->text.find("too many"), std::string::npos) << error->text;
      }
      EXPECT_NE(help_text(command.name).find(option.value), std::string::npos) << option.flags;
    }
  }
}

TEST(Cli, HelpOnTheConfiguration) {
  EXPECT_EQ(as<Help>("help config").text, config_help(""));
  EXPECT_EQ(as<Help>("help config queue_size").text, config_help("queue_size"));
  EXPECT_EQ(as<Help>("help config --markdown").text, config_markdown());
  EXPECT_EQ(problem("help config queue_sizes"),
            "berth: unknown key 'queue_sizes' (did you mean queue_size?)");
  EXPECT_EQ(problem("help run queue_size"), "berth: 'queue_size' is one word too many");
  EXPECT_EQ(problem("help run --markdown"), "berth: --markdown needs config (berth help config)");
}

TEST(Cli, Completion) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const std::string script = as<Help>("completion " + shell).text;
    for (const CommandSpec& command : commands()) {
      EXPECT_NE(script.find(command.name), std::string::npos) << shell << " " << command.name;
    }
  }
  EXPECT_EQ(problem("completion"), "berth: which shell? (bash, zsh or fish)");
  EXPECT_EQ(problem("completion csh"), "berth: unknown shell 'csh' (bash, zsh or fish)");
}

TEST(Cli, WrongCommandsAndOptions) {
  EXPECT_EQ(problem("chekc"), "berth: unknown command 'chekc' (did you mean check?)");
  EXPECT_EQ(problem("help chekc"), "berth: unknown command 'chekc' (did you mean check?)");
  EXPECT_EQ(problem("frobnicate"), "berth: unknown command 'frobnicate'");
  EXPECT_EQ(problem("run --form :80"), "berth: unknown option '--form' (did you mean --from?)");
  EXPECT_EQ(problem("run --form=:80"), "berth: unknown option '--form' (did you mean --from?)");
  EXPECT_EQ(problem("run --zyzzyva"), "berth: unknown option '--zyzzyva'");
  EXPECT_EQ(problem("-c a.yaml"), "berth: unknown option '-c' (it belongs to berth run)");
  EXPECT_EQ(problem("check a --from :80"),
            "berth: unknown option '--from' (it belongs to berth run)");
  EXPECT_EQ(problem("run --print -c a"),
            "berth: unknown option '--print' (it belongs to berth check)");
  EXPECT_EQ(problem("-x"), "berth: unknown option '-x'");
  EXPECT_EQ(problem("run --from"), "berth: --from needs a value");
  EXPECT_EQ(problem("run --to a:1 b:2 --from :80"),
            "berth: a file and other options cannot be mixed (the file 'b:2' then holds every "
            "setting)");
  EXPECT_EQ(problem("run a.yaml b.yaml"), "berth: 'b.yaml' is one word too many");
  EXPECT_EQ(problem("check -c a -c b"), "berth: --config can be given only once");
  EXPECT_EQ(as<UsageError>("run --form x").text,
            "berth: unknown option '--form' (did you mean --from?)\nTry 'berth help run'.\n");
}

// A file with `text`, gone at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) { std::ofstream(path_) << text; }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = testing::TempDir() + "/berth-cli-test.yaml";
};

constexpr const char* kGood =
    "listeners: [{address: :8080}]\n"
    "upstreams: {app: {servers: [a:1], pool: {keepalive_timeout: 9s}}}\n";

TEST(CliCheck, AGoodFile) {
  const TemporaryFile file(kGood);
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check({file.path(), false}, out, err), 0);
  // Before it: what the names of its servers stand for on this machine.
  EXPECT_TRUE(out.str().ends_with(file.path() + ": ok\n")) << out.str();
  EXPECT_TRUE(err.str().starts_with(file.path() + ":2:61: warning: keepalive_timeout 9s"))
      << err.str();
}

TEST(CliCheck, PrintsWhatCanBeReadAgain) {
  const TemporaryFile file(kGood);
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check({file.path(), true}, out, err), 0);
  EXPECT_EQ(config::load_text(out.str()).config, config::load_text(kGood).config);
}

TEST(CliCheck, ABadFile) {
  const TemporaryFile file(
      "workers: 0\nlisteners: [{address: :80}]\nroutez: []\nupstreams: {a: {servers: [b:1]}}\n");
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check({file.path(), true}, out, err), kExitUsage);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(err.str(), file.path() +
                           ":1:10: error: workers: '0' is out of range, 1 to 256 (write auto for "
                           "one per core)\n" +
                           file.path() +
                           ":3:1: error: unknown key 'routez' (did you mean routes?)\n" +
                           file.path() + ": 2 errors\n");
}

TEST(CliCheck, AMissingFile) {
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check({"/nonexistent.yaml", false}, out, err), kExitUsage);
  EXPECT_EQ(err.str(),
            "/nonexistent.yaml: error: cannot be read: No such file or directory\n"
            "/nonexistent.yaml: 1 error\n");
}

TEST(CliCheck, EachFileThatIsMissingIsNamed) {
  const TemporaryFile file(
      "listeners:\n"
      "  - address: 127.0.0.1:0\n"
      "    tls: {certificates: [{certificate: /no/a.crt, key: /no/a.key}, {certificate: /no/b.crt, "
      "key: /no/b.key}]}\n"
      "upstreams: {app: {servers: [a:1], tls: {ca: /no/ca, certificate: /no/c.crt, key: "
      "/no/c.key}}}"
      "\n");
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check({file.path(), false}, out, err), kExitUsage);
  for (const char* path :
       {"/no/a.crt", "/no/a.key", "/no/b.crt", "/no/b.key", "/no/ca", "/no/c.crt", "/no/c.key"}) {
    EXPECT_NE(err.str().find(std::string(path) + " cannot be read"), std::string::npos)
        << path << "\n"
        << err.str();
  }
}

TEST(CliCheck, APortThatIsTakenIsAWarning) {
  const UniqueFd other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
  ASSERT_EQ(::listen(other.get(), 1), 0);
  const std::string address = net::Address::of_socket(other.get()).to_string();
  const TemporaryFile file("listeners: [{address: '" + address +
                           "'}]\nupstreams: {app: {servers: ['127.0.0.1:1']}}\n");
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_check({file.path(), false}, out, err), 0);
  EXPECT_EQ(err.str(), file.path() + ":1:23: warning: another process listens at " + address +
                           " (Berth would not start now)\n");
}

TEST(CliLoad, FromAFileAndFromFlags) {
  using Lines = std::vector<std::string>;
  const TemporaryFile file(kGood);
  const auto keys = std::make_shared<net::TicketKeys>();
  const server::Run from_file{file.path(), {}};
  const Loaded loaded = load(from_file, keys);
  EXPECT_EQ(loaded.result.config, config::load_text(kGood).config);
  EXPECT_NE(loaded.tls, nullptr);
  const Lines warnings = lines_of(from_file, loaded.result.diagnostics);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(warnings[0].starts_with(file.path() + ":2:61: warning: ")) << warnings[0];
  EXPECT_EQ(line_of(from_file, loaded.result.places, {"listeners[0].address", "taken"}),
            file.path() + ":1:23: error: taken");

  const server::Run from_flags{"", {.from = {":1"}, .to = {"a:1"}}};
  const Loaded flags = load(from_flags, keys);
  EXPECT_TRUE(flags.result.ok());
  EXPECT_EQ(lines_of(from_flags, flags.result.diagnostics), Lines{});
  const server::Run wrong{"", {.from = {":1"}}};
  const Loaded refused = load(wrong, keys);
  EXPECT_FALSE(refused.result.ok());
  EXPECT_EQ(refused.tls, nullptr);
  EXPECT_EQ(lines_of(wrong, refused.result.diagnostics),
            Lines{"berth: error: --to is missing: the app server (such as --to 127.0.0.1:3000)"});
}

}  // namespace
}  // namespace berth::server
