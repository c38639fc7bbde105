#include "proxy/config/address_syntax.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "proxy/base/letter_case.h"

namespace berth::config {
namespace {

using Parsed = Result<AddressSyntax, Complaint>;

constexpr size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view kUnixPrefix = "unix:";

Failure<Complaint> refuse(std::string_view text, std::string problem, std::string hint = {}) {
  return Failure{Complaint{in_quotes(text) + " " + std::move(problem), std::move(hint)}};
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<uint32_t> small_number(std::string_view digits) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!all_digits(digits) || error != std::errc{}) return std::nullopt;
  return value;
}

// The canonical text of an IP address, or nothing. `bytes`: of the address.
std::optional<std::string> canonical_ip(int family, const std::string& text,
                                        std::array<uint8_t, 16>& bytes) {
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (inet_pton(family, text.c_str(), bytes.data()) != 1) return std::nullopt;
  inet_ntop(family, bytes.data(), out.data(), out.size());
  return std::string(out.data());
}

bool is_ip(int family, const std::string& text) {
  std::array<uint8_t, 16> bytes{};
  return canonical_ip(family, text, bytes).has_value();
}

Parsed parse_unix(std::string_view text) {
  const std::string_view path = text.substr(kUnixPrefix.size());
  if (path.empty() || path.front() != '/') {
    std::string rest(path.substr(std::min(path.find_first_not_of('/'), path.size())));
    return refuse(text, "needs an absolute path",
                  "such as unix:/run/" + (rest.empty() ? "app.sock" : rest));
  }
  if (path.starts_with("//")) {
    return refuse(
        text, "has too many slashes",
        "did you mean unix:" + std::string(path.substr(path.find_first_not_of('/') - 1)) + "?");
  }
  if (path.size() > kMaxUnixPath) {
    return refuse(text, "is too long for a Unix socket",
                  "the path has " + std::to_string(path.size()) + " bytes, at most " +
                      std::to_string(kMaxUnixPath) + " are possible");
  }
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::any_of(path.begin(), path.end(), control)) return refuse(text, "has a control byte");
  return AddressSyntax{AddressKind::Unix, {}, 0, std::string(path), {}};
}

// What can be said of an address that has no port.
Failure<Complaint> no_port(std::string_view text) {
  if (all_digits(text)) {
    return refuse(text, "is a port without a host",
                  "did you mean 127.0.0.1:" + std::string(text) + "?");
  }
  if (text.starts_with('/')) {
    return refuse(text, "is a path", "did you mean unix:" + std::string(text) + "?");
  }
  return refuse(text, "has no port", "such as " + std::string(text.substr(0, 255)) + ":3000");
}

Parsed parse_any(std::string_view text) {
  if (text.empty()) return refuse(text, "is no address", "such as 127.0.0.1:3000");
  if (text.find_first_of(" \t\n") != std::string_view::npos) {
    return refuse(text, "has blanks in it", "is a closing quote missing?");
  }
  if (text.find('$') != std::string_view::npos) {
    return refuse(text, "is not an address", "variables are not replaced in this file");
  }
  if (text.starts_with(kUnixPrefix)) return parse_unix(text);
  if (const size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    std::string bare(text.substr(scheme + 3));
    bare.resize(std::min(bare.find('/'), bare.size()));
    if (text.starts_with("https:")) {
      return refuse(text, "is a URL", "an address is host:port; TLS is a section of its own, tls");
    }
    return refuse(text, "is a URL", "an address is host:port: did you mean " + bare + "?");
  }
  const size_t colon = text.rfind(':');
  const bool bracketed = text.front() == '[';
  if (colon == std::string_view::npos || (bracketed && text.back() == ']')) return no_port(text);
  const std::string_view host = text.substr(0, colon);
  if (!bracketed && host.find(':') != std::string_view::npos) {
    return refuse(text, "is not an address", "write IPv6 in brackets, such as \"[::1]:3000\"");
  }
  const std::string_view digits = text.substr(colon + 1);
  if (host == "*") {
    return refuse(text, "is not an address", "did you mean :" + std::string(digits) + "?");
  }
  const auto port = small_number(digits);
  if (!port || *port > 65535) {
    return refuse(text, "has a wrong port", "a port is a number from 1 to 65535");
  }
  AddressSyntax address{AddressKind::AnyHost, {}, static_cast<uint16_t>(*port), {}, {}};
  if (host.empty()) return address;
  if (bracketed) {
    address.kind = AddressKind::Ipv6;
    const auto ip =
        host.back() == ']'
            ? canonical_ip(AF_INET6, std::string(host.substr(1, host.size() - 2)), address.ip)
            : std::nullopt;
    if (!ip) return refuse(text, "is not an IPv6 address", "such as \"[::1]:3000\"");
    address.host = *ip;
    return address;
  }
  if (const auto ip = canonical_ip(AF_INET, std::string(host), address.ip)) {
    address.kind = AddressKind::Ipv4;
    address.host = *ip;
    return address;
  }
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) {
    return refuse(text, "is not an IPv4 address", "four numbers from 0 to 255");
  }
  const bool service =
      host.find("._tcp") != std::string_view::npos || host.find("._udp") != std::string_view::npos;
  if (host.starts_with('_') && service) {
    return refuse(text, "has the name of an SRV record, which Berth does not ask for",
                  "name a host and its port; all addresses of the host are servers");
  }
  // The last dot says that the name is complete: no search domain is to be tried (RFC 1034).
  const std::string_view name = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  if (!is_host_name(name)) return refuse(text, "has a wrong host name");
  address.kind = AddressKind::HostName;
  address.host = to_lower(host);
  return address;
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  size_t label = 0;
  char before = '.';
  for (const char c : text) {
    const bool alnum = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (c == '.') {
      if (label == 0 || before == '-') return false;
      label = 0;
    } else if (alnum || c == '_' || (c == '-' && label != 0)) {
      // '_' is not a host name's, but container networks name their services so.
      if (++label > 63) return false;
    } else {
      return false;
    }
    before = c;
  }
  return before != '-' && before != '.';
}

Parsed parse_listen_address(std::string_view text) {
  Parsed parsed = parse_any(text);
  if (!parsed && all_digits(text)) {
    return refuse(text, "is a port without a host", "did you mean :" + std::string(text) + "?");
  }
  if (!parsed && is_host_name(text)) return refuse(text, "has no port", "such as :8080");
  if (!parsed || parsed->kind != AddressKind::HostName) return parsed;
  const std::string port = std::to_string(parsed->port);
  if (parsed->host == "localhost") {
    return refuse(text, "is a name",
                  "listen on an IP address: did you mean 127.0.0.1:" + port + "?");
  }
  return refuse(text, "is a name", "listen on an IP address, or on :" + port + " for all of them");
}

Parsed parse_server_address(std::string_view text) {
  Parsed parsed = parse_any(text);
  if (!parsed) return parsed;
  if (parsed->kind == AddressKind::AnyHost) {
    return refuse(text, "has no host",
                  "did you mean 127.0.0.1:" + std::to_string(parsed->port) + "?");
  }
  if (parsed->kind != AddressKind::Unix && parsed->port == 0) {
    return refuse(text, "has a wrong port", "a port is a number from 1 to 65535");
  }
  return parsed;
}

std::string canonical(const AddressSyntax& address) {
  switch (address.kind) {
    case AddressKind::Unix:
      return std::string(kUnixPrefix) + address.path;
    case AddressKind::Ipv6:
      return "[" + address.host + "]:" + std::to_string(address.port);
    case AddressKind::AnyHost:
    case AddressKind::Ipv4:
    case AddressKind::HostName:
      return address.host + ":" + std::to_string(address.port);
  }
  return {};
}

Endpoint::Endpoint(std::string text) : text_(std::move(text)) {
  auto parsed = parse_any(text_);
  if (parsed) syntax_ = std::move(*parsed);
}

std::string Endpoint::canonical() const {
  return syntax_ ? config::canonical(*syntax_) : text_;
}

Result<bool, Complaint> check_network(std::string_view text) {
  const std::string_view ip = text.substr(0, text.find('/'));
  const bool v4 = is_ip(AF_INET, std::string(ip));
  if (!v4 && !is_ip(AF_INET6, std::string(ip))) {
    return refuse(text, "is not an IP address or block",
                  "such as 10.0.0.1, 10.0.0.0/8 or fd00::/8");
  }
  if (ip.size() == text.size()) return true;
  const uint32_t most = v4 ? 32 : 128;
  const auto bits = small_number(text.substr(ip.size() + 1));
  if (!bits || *bits > most) {
    return refuse(text, "has a wrong prefix length", "0 to " + std::to_string(most));
  }
  return true;
}

}  // namespace berth::config
