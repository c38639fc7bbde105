// An IPv4, IPv6 or Unix-socket address, as small as it can be: every client connection holds one.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/address_syntax.h"

namespace berth::net {

enum class AddressKind : uint8_t { None, V4, V6, Unix };

class Address {
 public:
  Address() = default;

  // Numeric forms only: "127.0.0.1:80", "[::1]:80", "unix:/path". nullopt if it is none of these.
  static std::optional<Address> parse(std::string_view text);
  // As parse(), and ":80" (every local address, IPv6 and IPv4) for listeners.
  static std::optional<Address> parse_listen(std::string_view text);
  // Returns None for a host name, and for text that is not an address.
  static Address of(const config::Endpoint& endpoint);
  static Address from_sockaddr(const sockaddr* address, socklen_t length);
  // `ip`: 4 bytes for V4, 16 for V6. `port` in host order.
  static Address from_ip(AddressKind kind, const void* ip, uint16_t port);
  // What a socket is bound to; None if it cannot be said.
  static Address of_socket(int fd);
  // IPv4-mapped IPv6 addresses become IPv4.
  Address unmapped() const;

  AddressKind kind() const { return kind_; }
  uint16_t port() const { return port_; }
  // Network order: 4 bytes of V4, 16 of V6.
  const std::array<uint8_t, 16>& ip() const { return ip_; }
  int family() const;

  // Fills `out` and returns its length.
  socklen_t to_sockaddr(sockaddr_storage& out) const;
  // "127.0.0.1:80", "[::1]:80", "unix:/path" ("unix:" for an unnamed peer).
  std::string to_string() const;
  // The same into `out` (at least kMaxText); returns its length.
  size_t write(char* out) const;
  static constexpr size_t kMaxText = 128;
  // The IP alone, without brackets or port, into `out` (at least kMaxIpText); returns its length.
  // "unix" for Unix.
  size_t write_ip(char* out) const;
  static constexpr size_t kMaxIpText = 46;

  bool operator==(const Address& other) const;

 private:
  std::array<uint8_t, 16> ip_{};
  uint16_t port_ = 0;
  AddressKind kind_ = AddressKind::None;
  std::shared_ptr<const std::string> path_;  // Unix only
};

// Host names too, by getaddrinfo: blocks, so at start-up and on reload only. Throws
// std::runtime_error with the resolver's message.
std::vector<Address> resolve(std::string_view text);

}  // namespace berth::net
