// Whom the admin listener obeys: a web page that an operator looks at must not be able to read the
// configuration or to give commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::server {

// What of a request tells where it comes from; "" where a field is absent.
struct AdminCaller {
  std::string_view host;
  std::string_view origin;
  std::string_view fetch_site;  // Sec-Fetch-Site
};

// A host that no page of another site can have by DNS rebinding: an IP address, a name that is not
// the internet's (localhost, berth, berth.internal), or one of `names`. An absent Host is no
// browser's.
bool is_trusted_host(std::string_view host, const std::vector<std::string>& names);

// Whether the caller may give commands: not on behalf of a page of another site.
bool may_command(const AdminCaller& caller, const std::vector<std::string>& names);

}  // namespace berth::server
