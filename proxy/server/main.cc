#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <variant>

#include "proxy/server/admin_client.h"
#include "proxy/server/cli.h"
#include "proxy/server/healthcheck.h"
#include "proxy/server/libevent_log.h"
#include "proxy/server/log.h"
#include "proxy/server/log_writer.h"
#include "proxy/server/server.h"
#include "proxy/server/version.h"

namespace {

using namespace berth::server;

int act(const Run& command) {
  const auto ticket_keys = std::make_shared<berth::net::TicketKeys>();
  Loaded loaded = load(command, ticket_keys);
  for (const std::string& line : lines_of(command, loaded.result.diagnostics)) {
    std::cerr << line << "\n";
  }
  if (!loaded.result.ok()) return kExitUsage;
  const berth::config::Places places = loaded.result.places;
  const LogWriter writes_log(STDERR_FILENO);
  log_for_libevent();
  try {
    Server server(command, std::move(loaded), ticket_keys);
    return server.run();
  } catch (const berth::config::SettingError& error) {
    log_error("start", line_of(command, places, error));
    return 1;
  } catch (const std::exception& error) {
    log_error("start", error.what());
    return 1;
  }
}

int act(const Check& command) {
  return run_check(command, std::cout, std::cerr);
}

int act(const Healthcheck& command) {
  return run_healthcheck(command.admin);
}

int act(const ReloadCommand& command) {
  return run_ask(command.admin, "POST", "/reload");
}

int act(const StatusCommand& command) {
  return run_status(command);
}

int act(const DrainCommand& command) {
  return run_drain(command);
}

int act(const Version&) {
  std::cout << "berth " << version() << "\n";
  return 0;
}

int act(const Help& command) {
  std::cout << command.text;
  return 0;
}

int act(const UsageError& command) {
  std::cerr << command.text;
  return kExitUsage;
}

// What is closed of 0, 1 and 2 would be the number of the next file or socket, and what is meant
// for the log would go there.
void keep_standard_descriptors() {
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  return std::visit([](const auto& command) { return act(command); }, parse_cli(argc, argv));
}
