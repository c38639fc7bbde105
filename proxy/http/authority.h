// The authority of a request: what may stand in Host and in an absolute-form target.
#pragma once

#include <cstdint>
#include <string_view>

namespace berth::http {

// host [":" [port]], stricter than RFC 3986: a host is 1 to 255 of the unreserved characters
// (letters, digits, "-", ".", "_", "~") or an IPv6 address in brackets. The sub-delims and
// percent-encoding that the URI grammar adds occur in no name that DNS knows; commas, semicolons
// and the like are how requests are smuggled past a router. No user information, no port above
// 65535; an empty port is the scheme's own (RFC 3986 section 3.2.3).
bool is_authority(std::string_view text);

// Whether two authorities that are well formed name the same site: hosts in any case, a port that
// is empty or absent being `default_port` (RFC 9110 section 4.2.3).
bool same_authority(std::string_view a, std::string_view b, uint16_t default_port);

inline constexpr uint16_t kHttpPort = 80;
inline constexpr uint16_t kHttpsPort = 443;

}  // namespace berth::http
