#include "proxy/server/admin_guard.h"

#include <algorithm>
#include <cctype>

#include "proxy/http/literal.h"
#include "proxy/net/address.h"

namespace berth::server {
namespace {

// Without the port.
std::string_view name_of(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.rfind(':');
  const bool port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return port ? host.substr(0, colon) : host;
}

// Names that no site on the internet can have: those without a dot, and below what is kept for
// private use (RFC 6761, and what Kubernetes gives to services).
bool is_private_name(std::string_view name) {
  if (name.find('.') == std::string_view::npos) return true;
  static constexpr std::string_view kPrivate[] = {".localhost", ".internal", ".svc",
                                                  ".svc.cluster.local"};
  return std::any_of(std::begin(kPrivate), std::end(kPrivate), [&](std::string_view suffix) {
    return name.size() > suffix.size() &&
           http::equals_nocase(name.substr(name.size() - suffix.size()), suffix);
  });
}

}  // namespace

bool is_trusted_host(std::string_view host, const std::vector<std::string>& names) {
  if (host.empty()) return true;
  const std::string_view name = name_of(host);
  if (is_private_name(name)) return true;
  const auto is_it = [&](const std::string& known) { return http::equals_nocase(name, known); };
  if (std::any_of(names.begin(), names.end(), is_it)) return true;
  const auto address = net::Address::parse(std::string(name) + ":1");
  return address && address->kind() != net::AddressKind::Unix;
}

bool may_command(const AdminCaller& caller, const std::vector<std::string>& names) {
  const bool from_a_page =
      !caller.origin.empty() || (!caller.fetch_site.empty() && caller.fetch_site != "none");
  return !from_a_page && is_trusted_host(caller.host, names);
}

}  // namespace berth::server
