// Cookies of a request (RFC 6265 section 4.2).
#pragma once

#include <optional>
#include <string_view>

#include "proxy/http/head.h"

namespace berth::http {

// The value of the first cookie called `name` (case matters), without quotes; nullopt if there is
// none.
std::optional<std::string_view> find_cookie(const HeaderList& fields, std::string_view name);

}  // namespace berth::http
