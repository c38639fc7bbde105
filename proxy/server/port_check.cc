#include "proxy/server/port_check.h"

#include <string>

#include "proxy/config/validate.h"
#include "proxy/net/address.h"
#include "proxy/net/listener.h"

namespace berth::server {

void check_ports(config::LoadResult& loaded) {
  if (!loaded.ok()) return;
  for (size_t i = 0; i < loaded.config->listeners.size(); ++i) {
    const std::string& text = loaded.config->listeners[i].address.text();
    const auto address = net::Address::parse_listen(text);
    if (!address || address->kind() == net::AddressKind::Unix || address->port() == 0) continue;
    if (!net::is_taken(*address)) continue;
    const config::Mark at =
        config::place_of(loaded.places, "listeners[" + std::to_string(i) + "].address");
    loaded.diagnostics.push_back({config::Level::Warning, at.line, at.column,
                                  "another process listens at " + text,
                                  "Berth would not start now"});
  }
}

}  // namespace berth::server
