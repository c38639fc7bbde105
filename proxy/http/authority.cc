#include "proxy/http/authority.h"

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>
#include <optional>

#include "proxy/http/literal.h"
#include "proxy/http/scan.h"

namespace berth::http {

namespace {

constexpr size_t kMaxName = 255;

// At most 65535; nothing at all is `otherwise`.
std::optional<uint32_t> parse_port(std::string_view text, uint32_t otherwise) {
  if (text.empty()) return otherwise;
  if (text.size() > 5) return std::nullopt;
  uint32_t port = 0;
  for (const char c : text) {
    if (!is_class(c, kDigit)) return std::nullopt;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  return port <= UINT16_MAX ? std::optional(port) : std::nullopt;
}

// What is behind the host: "", ":" or ":80".
std::string_view port_part(std::string_view authority) {
  const size_t colon = authority.find(':', authority.find(']') + 1);
  return colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
}

// An IPv6 address, without a zone: inet_pton knows the grammar.
bool is_ipv6(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  in6_addr unused;
  return inet_pton(AF_INET6, terminated, &unused) == 1;
}

}  // namespace

bool is_authority(std::string_view text) {
  if (text.empty()) return false;
  size_t host_size;
  if (text.front() == '[') {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) return false;
    host_size = bracket + 1;
  } else {
    const char* const begin = text.data();
    host_size = static_cast<size_t>(DefaultScan::host_end(begin, begin + text.size()) - begin);
    if (host_size == 0 || host_size > kMaxName) return false;
  }
  if (host_size == text.size()) return true;
  return text[host_size] == ':' && parse_port(text.substr(host_size + 1), 0).has_value();
}

bool same_authority(std::string_view a, std::string_view b, uint16_t default_port) {
  if (equals_nocase(a, b)) return true;
  const std::string_view port_a = port_part(a);
  const std::string_view port_b = port_part(b);
  a.remove_suffix(port_a.size());
  b.remove_suffix(port_b.size());
  return equals_nocase(a, b) && parse_port(port_a.substr(port_a.empty() ? 0 : 1), default_port) ==
                                    parse_port(port_b.substr(port_b.empty() ? 0 : 1), default_port);
}

}  // namespace berth::http
