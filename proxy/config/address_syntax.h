// The written form of an address. Only the shape is looked at: nothing is resolved or opened.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/base/result.h"
#include "proxy/config/diagnostics.h"

namespace berth::config {

enum class AddressKind : uint8_t {
  AnyHost,   // ":8080": every address of this machine, IPv4 and IPv6
  Ipv4,      // "127.0.0.1:8080"
  Ipv6,      // "[::1]:8080"
  HostName,  // "app.internal:3000"; "app.internal.:3000" is not looked for in search domains
  Unix,      // "unix:/run/app.sock"
};

struct AddressSyntax {
  AddressKind kind = AddressKind::AnyHost;
  std::string host;              // canonical; without brackets; empty for AnyHost and Unix
  uint16_t port = 0;             // 0 for Unix
  std::string path;              // of a Unix socket
  std::array<uint8_t, 16> ip{};  // what host says, in network order: 4 bytes of Ipv4, 16 of Ipv6
  bool operator==(const AddressSyntax& other) const {
    return kind == other.kind && host == other.host && port == other.port && path == other.path;
  }
};

// Where to listen: every kind but HostName. Port 0 lets the kernel choose.
Result<AddressSyntax, Complaint> parse_listen_address(std::string_view text);

// Whom to connect to: every kind but AnyHost, port 1 to 65535.
Result<AddressSyntax, Complaint> parse_server_address(std::string_view text);

// Equal for two spellings of the same address: "[0::1]:80" and "[::1]:80".
std::string canonical(const AddressSyntax& address);

// "10.0.0.1", "10.0.0.0/8", "fd00::/8".
Result<bool, Complaint> check_network(std::string_view text);

// An address as a setting has it: as it was written, and what that says, taken apart once. Equal
// when written the same.
class Endpoint {
 public:
  Endpoint() = default;
  // A setting is its text. NOLINTNEXTLINE(google-explicit-constructor)
  Endpoint(std::string text);
  // NOLINTNEXTLINE(google-explicit-constructor)
  Endpoint(const char* text) : Endpoint(std::string(text)) {}

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  // nullptr: it is none. Whether its kind is right where it is used is another question: see
  // parse_listen_address() and parse_server_address(). In a valid configuration it is one.
  const AddressSyntax* syntax() const { return syntax_ ? &*syntax_ : nullptr; }
  bool is(AddressKind kind) const { return syntax_ && syntax_->kind == kind; }
  // The same for every spelling of the address.
  std::string canonical() const;

  bool operator==(const Endpoint& other) const { return text_ == other.text_; }

 private:
  std::string text_;
  std::optional<AddressSyntax> syntax_;
};

// Letters, digits, '-' and '.' in labels of 1 to 63, as in host names (RFC 1123 section 2.1).
bool is_host_name(std::string_view text);

}  // namespace berth::config
