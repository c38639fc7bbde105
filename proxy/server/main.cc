#include <exception>
#include <iostream>
#include <variant>

#include "proxy/server/admin_client.h"
#include "proxy/server/cli.h"
#include "proxy/server/healthcheck.h"
#include "proxy/server/log.h"
#include "proxy/server/server.h"
#include "proxy/server/version.h"

namespace {

using namespace berth::server;

int act(const Run& command) {
  berth::config::LoadResult loaded = load(command, std::cerr);
  if (!loaded.ok()) return kExitUsage;
  try {
    Server server(command, std::move(*loaded.config));
    return server.run();
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

}  // namespace

int main(int argc, char** argv) {
  return std::visit([](const auto& command) { return act(command); }, parse_cli(argc, argv));
}
