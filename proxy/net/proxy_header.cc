#include "proxy/net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace berth::net {

namespace {

using Status = ProxyHeader::Status;

constexpr std::string_view kV1 = "PROXY ";
constexpr size_t kMaxV1 = 107;  // with its CRLF
constexpr std::string_view kV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kFixedV2 = 16;

constexpr uint8_t kLocal = 0x20;
constexpr uint8_t kProxy = 0x21;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;

ProxyHeader malformed() {
  return {};
}
ProxyHeader incomplete() {
  return {.status = Status::Incomplete, .size = 0, .source = {}, .destination = {}};
}

// The text up to the next blank, which is taken too.
std::string_view next_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool parse_port(std::string_view text, uint16_t& port) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return false;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > UINT16_MAX) return false;
  port = static_cast<uint16_t>(value);
  return true;
}

bool parse_address(int family, std::string_view ip, std::string_view port, Address& out) {
  // A NUL would end it for inet_pton.
  if (ip.find('\0') != std::string_view::npos) return false;
  const std::string text(ip);
  std::array<uint8_t, 16> bytes;
  uint16_t number = 0;
  if (::inet_pton(family, text.c_str(), bytes.data()) != 1 || !parse_port(port, number)) {
    return false;
  }
  out =
      Address::from_ip(family == AF_INET ? AddressKind::V4 : AddressKind::V6, bytes.data(), number);
  return true;
}

ProxyHeader parse_v1(std::string_view bytes) {
  const size_t end = bytes.substr(0, kMaxV1).find('\n');
  if (end == std::string_view::npos) return bytes.size() < kMaxV1 ? incomplete() : malformed();
  if (bytes[end - 1] != '\r') return malformed();
  std::string_view line = bytes.substr(kV1.size(), end - 1 - kV1.size());
  ProxyHeader header{.status = Status::Complete, .size = end + 1, .source = {}, .destination = {}};
  // What follows UNKNOWN is to be ignored.
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return header;
  if (line.ends_with(' ')) return malformed();
  const std::string_view protocol = next_word(line);
  if (protocol != "TCP4" && protocol != "TCP6") return malformed();
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view source = next_word(line);
  const std::string_view destination = next_word(line);
  const std::string_view source_port = next_word(line);
  const std::string_view destination_port = next_word(line);
  if (!line.empty() || !parse_address(family, source, source_port, header.source) ||
      !parse_address(family, destination, destination_port, header.destination)) {
    return malformed();
  }
  return header;
}

ProxyHeader parse_v2(std::string_view bytes) {
  if (bytes.size() < kFixedV2) return incomplete();
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  const uint8_t command = byte(12);
  const uint8_t family = byte(13);
  const size_t length = static_cast<size_t>(byte(14)) << 8 | byte(15);
  if (command != kLocal && command != kProxy) return malformed();
  if (kFixedV2 + length > kMaxProxyHeader) return malformed();
  if (bytes.size() < kFixedV2 + length) return incomplete();
  ProxyHeader header{
      .status = Status::Complete, .size = kFixedV2 + length, .source = {}, .destination = {}};
  if (command == kLocal) return header;
  // Addresses, then ports; what follows (TLVs) is not for us. Of other families nothing is known.
  const bool v4 = family == kTcp4;
  if (!v4 && family != kTcp6) return header;
  const size_t ip = v4 ? 4 : 16;
  if (length < 2 * ip + 4) return malformed();
  const char* at = bytes.data() + kFixedV2;
  in_port_t source_port;
  in_port_t destination_port;
  std::memcpy(&source_port, at + 2 * ip, 2);
  std::memcpy(&destination_port, at + 2 * ip + 2, 2);
  const AddressKind kind = v4 ? AddressKind::V4 : AddressKind::V6;
  header.source = Address::from_ip(kind, at, ntohs(source_port));
  header.destination = Address::from_ip(kind, at + ip, ntohs(destination_port));
  return header;
}

bool starts_like(std::string_view bytes, std::string_view signature) {
  const size_t n = std::min(bytes.size(), signature.size());
  return bytes.substr(0, n) == signature.substr(0, n);
}

std::string ip_of(const Address& address) {
  char text[Address::kMaxIpText];
  return {text, address.write_ip(text)};
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  if (starts_like(bytes, kV1)) return bytes.size() < kV1.size() ? incomplete() : parse_v1(bytes);
  if (starts_like(bytes, kV2)) return bytes.size() < kV2.size() ? incomplete() : parse_v2(bytes);
  return malformed();
}

std::string write_proxy_header(config::ProxyProtocol version, const Address& source,
                               const Address& destination) {
  const bool v4 = source.kind() == AddressKind::V4;
  const bool v6 = source.kind() == AddressKind::V6;
  static constexpr std::array<uint8_t, 16> kUnspecified{};
  const Address to = destination.kind() == source.kind()
                         ? destination
                         : Address::from_ip(v4 ? AddressKind::V4 : AddressKind::V6,
                                            kUnspecified.data(), destination.port());
  switch (version) {
    case config::ProxyProtocol::Off:
      return {};
    case config::ProxyProtocol::V1:
      if (!v4 && !v6) return "PROXY UNKNOWN\r\n";
      return (v4 ? "PROXY TCP4 " : "PROXY TCP6 ") + ip_of(source) + " " + ip_of(to) + " " +
             std::to_string(source.port()) + " " + std::to_string(to.port()) + "\r\n";
    case config::ProxyProtocol::V2:
      break;
  }
  std::string out(kV2);
  const size_t ip = v4 ? 4 : 16;
  const size_t length = v4 || v6 ? 2 * ip + 4 : 0;
  out += static_cast<char>(length != 0 ? kProxy : kLocal);
  out += static_cast<char>(length == 0 ? 0 : v4 ? kTcp4 : kTcp6);
  out += '\0';
  out += static_cast<char>(length);
  if (length == 0) return out;
  for (const Address* address : {&source, &to}) {
    out.append(reinterpret_cast<const char*>(address->ip().data()), ip);
  }
  for (const Address* address : {&source, &to}) {
    out += static_cast<char>(address->port() >> 8);
    out += static_cast<char>(address->port() & 0xff);
  }
  return out;
}

}  // namespace berth::net
