#include "proxy/exchange/redirect.h"

#include "proxy/config/schema.h"

namespace berth::exchange {

std::string https_location(const http::RequestHead& head, uint32_t port) {
  // An IPv6 address has colons of its own, in brackets.
  const size_t colon = head.host.rfind(':');
  const size_t bracket = head.host.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string out = "https://";
  out += has_port ? head.host.substr(0, colon) : head.host;
  if (port != config::kHttpsPort) out += ":" + std::to_string(port);
  // OPTIONS * has no path.
  out += head.path.starts_with('/') ? head.path : "/";
  return out;
}

}  // namespace berth::exchange
