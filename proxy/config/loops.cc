// Servers that are Berth itself: a request would come back to where it was sent from.
#include "proxy/config/address_syntax.h"
#include "proxy/config/validate.h"

namespace berth::config {
namespace {

bool is_loopback(const AddressSyntax& address) {
  switch (address.kind) {
    case AddressKind::Ipv4:
      return address.ip[0] == 127;
    case AddressKind::Ipv6:
      return address.host == "::1";
    case AddressKind::HostName:
      return address.host == "localhost";
    case AddressKind::AnyHost:
    case AddressKind::Unix:
      return false;
  }
  return false;
}

bool is_every_address(const AddressSyntax& address) {
  return address.kind == AddressKind::AnyHost || address.host == "0.0.0.0" || address.host == "::";
}

// Whether a connection to `server` comes to `listener`, as far as the text says.
bool leads_to(const AddressSyntax& server, const AddressSyntax& listener) {
  if (server.kind == AddressKind::Unix || listener.kind == AddressKind::Unix) {
    return server.kind == listener.kind && server.path == listener.path;
  }
  if (server.port != listener.port) return false;
  if (is_every_address(listener)) return is_loopback(server);
  if (server.kind == AddressKind::HostName) return is_loopback(server) && is_loopback(listener);
  return canonical(server) == canonical(listener);
}

}  // namespace

void warn_of_loops(const Config& config, const Places& places, Diagnostics& diagnostics) {
  for (const Upstream& upstream : config.upstreams) {
    for (size_t s = 0; s < upstream.servers.size(); ++s) {
      const AddressSyntax* server = upstream.servers[s].address.syntax();
      if (server == nullptr) continue;
      for (size_t l = 0; l < config.listeners.size(); ++l) {
        const AddressSyntax* listener = config.listeners[l].address.syntax();
        if (listener == nullptr || !leads_to(*server, *listener)) continue;
        const std::string path =
            "upstreams." + upstream.name + ".servers[" + std::to_string(s) + "]";
        diagnostics.warning(place_of(places, path),
                            "server " + upstream.servers[s].address.text() +
                                " is Berth itself: listeners[" + std::to_string(l) + "]",
                            "name the address of the app");
      }
    }
  }
}

}  // namespace berth::config
