// What the admin listener does when it is told to: POST /drain, /resume and /reload.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "proxy/server/admin_context.h"
#include "proxy/server/admin_pages.h"

namespace berth::server {

// The query of a command, decoded.
using AdminQuery = std::map<std::string, std::string, std::less<>>;

// Whether there is such a command at all.
bool is_admin_command(std::string_view path);

// Does it. `path` is a command's. 400 if the query is not what the command needs, 404 if there is
// no such server, 409 if a reload is rejected.
AdminPage admin_command(std::string_view path, const AdminQuery& query, AdminContext& context);

}  // namespace berth::server
