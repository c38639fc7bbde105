// The authority of a request: what may stand in Host and in an absolute-form target.
#pragma once

#include <string_view>

namespace berth::http {

// host [":" port], stricter than RFC 3986: a host is 1 to 255 of the unreserved characters
// (letters, digits, "-", ".", "_", "~") or an IPv6 address in brackets. The sub-delims and
// percent-encoding that the URI grammar adds occur in no name that DNS knows; commas, semicolons
// and the like are how requests are smuggled past a router. No user information, no empty port, no
// port above 65535.
bool is_authority(std::string_view text);

}  // namespace berth::http
