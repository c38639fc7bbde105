#include "proxy/http/authority.h"

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>

#include "proxy/http/scan.h"

namespace berth::http {

namespace {

constexpr size_t kMaxName = 255;

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  uint32_t port = 0;
  for (const char c : text) {
    if (!is_class(c, kDigit)) return false;
    port = port * 10 + static_cast<uint32_t>(c - '0');
  }
  return port <= UINT16_MAX;
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
  return text[host_size] == ':' && is_port(text.substr(host_size + 1));
}

}  // namespace berth::http
