#include "proxy/server/healthcheck.h"

#include <iostream>

#include "proxy/server/admin_client.h"

namespace berth::server {

int run_healthcheck(const std::string& admin_address) {
  const auto answer = ask_admin(admin_address, "GET", "/healthz");
  if (answer && answer->status == 200) return 0;
  std::cerr << "berth: " << admin_address << ": " << (answer ? "not well" : answer.error()) << "\n";
  return 1;
}

}  // namespace berth::server
