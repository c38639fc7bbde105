// The admin listener's pages, apart from HTTP: a path in, a page out.
#pragma once

#include <string>
#include <string_view>

#include "proxy/server/admin_context.h"

namespace berth::server {

struct AdminPage {
  int status = 200;
  std::string content_type;
  std::string body;
};

// `path` is the target's path, without its query. 404 with the list of pages where there is none.
// May throw what the context throws.
AdminPage admin_page(std::string_view path, const AdminContext& context);

// Whether a page is for trusted hosts only (admin_guard.h): a web page could have it read by a
// browser that an operator uses, under a name that it has made to point here (DNS rebinding).
bool is_private_page(std::string_view path);

// Whether rendering it may take long where there are thousands of servers. Such a page reads
// nothing of the context but collector(), and may be rendered on any thread.
bool is_slow_page(std::string_view path);

// /status, as JSON.
std::string admin_status(const AdminContext& context);

}  // namespace berth::server
