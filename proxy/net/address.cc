#include "proxy/net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace berth::net {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

struct HostPort {
  std::string host;
  bool bracketed;
  uint16_t port;
};

std::optional<HostPort> split(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // an IPv6 address needs its brackets
  }
  return HostPort{std::string(host), bracketed, *port};
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  Address out;
  if (text.starts_with(kUnixPrefix)) {
    const std::string_view path = text.substr(kUnixPrefix.size());
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    out.kind_ = AddressKind::Unix;
    out.path_ = std::make_shared<const std::string>(path);
    return out;
  }
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  out.port_ = parts->port;
  if (!parts->bracketed && inet_pton(AF_INET, parts->host.c_str(), out.ip_.data()) == 1) {
    out.kind_ = AddressKind::V4;
    return out;
  }
  if (inet_pton(AF_INET6, parts->host.c_str(), out.ip_.data()) == 1) {
    out.kind_ = AddressKind::V6;
    return out;
  }
  return std::nullopt;
}

std::optional<Address> Address::parse_listen(std::string_view text) {
  if (text.starts_with(':')) return parse("[::]" + std::string(text));
  return parse(text);
}

Address Address::of(const config::Endpoint& endpoint) {
  const config::AddressSyntax* parts = endpoint.syntax();
  Address out;
  if (parts == nullptr) return out;
  switch (parts->kind) {
    case config::AddressKind::HostName:
      return out;
    case config::AddressKind::Unix:
      out.path_ = std::make_shared<const std::string>(parts->path);
      out.kind_ = AddressKind::Unix;
      return out;
    case config::AddressKind::Ipv4:
      out.kind_ = AddressKind::V4;
      break;
    case config::AddressKind::AnyHost:  // every address of IPv6 is every one of IPv4 too
    case config::AddressKind::Ipv6:
      out.kind_ = AddressKind::V6;
      break;
  }
  out.ip_ = parts->ip;
  out.port_ = parts->port;
  return out;
}

Address Address::from_sockaddr(const sockaddr* address, socklen_t length) {
  Address out;
  if (address->sa_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(address);
    std::memcpy(out.ip_.data(), &in->sin_addr, 4);
    out.port_ = ntohs(in->sin_port);
    out.kind_ = AddressKind::V4;
  } else if (address->sa_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
    std::memcpy(out.ip_.data(), &in->sin6_addr, 16);
    out.port_ = ntohs(in->sin6_port);
    out.kind_ = AddressKind::V6;
  } else if (address->sa_family == AF_UNIX) {
    out.kind_ = AddressKind::Unix;
    const auto* un = reinterpret_cast<const sockaddr_un*>(address);
    // A path may fill its array to the last byte, with no zero behind it.
    constexpr size_t kPathAt = offsetof(sockaddr_un, sun_path);
    const size_t most = length > kPathAt ? std::min(length - kPathAt, sizeof un->sun_path) : 0;
    const std::string_view path(un->sun_path, ::strnlen(un->sun_path, most));
    if (!path.empty()) out.path_ = std::make_shared<const std::string>(path);
  }
  return out;
}

Address Address::from_ip(AddressKind kind, const void* ip, uint16_t port) {
  Address out;
  out.kind_ = kind;
  out.port_ = port;
  std::memcpy(out.ip_.data(), ip, kind == AddressKind::V4 ? 4 : 16);
  return out;
}

Address Address::of_socket(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

Address Address::unmapped() const {
  static constexpr std::array<uint8_t, 12> kPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (kind_ != AddressKind::V6 || std::memcmp(ip_.data(), kPrefix.data(), kPrefix.size()) != 0) {
    return *this;
  }
  Address out;
  out.kind_ = AddressKind::V4;
  out.port_ = port_;
  std::memcpy(out.ip_.data(), ip_.data() + kPrefix.size(), 4);
  return out;
}

int Address::family() const {
  switch (kind_) {
    case AddressKind::V4:
      return AF_INET;
    case AddressKind::V6:
      return AF_INET6;
    case AddressKind::Unix:
      return AF_UNIX;
    case AddressKind::None:
      return AF_UNSPEC;
  }
  return AF_UNSPEC;
}

socklen_t Address::to_sockaddr(sockaddr_storage& out) const {
  std::memset(&out, 0, sizeof out);
  out.ss_family = static_cast<sa_family_t>(family());
  if (kind_ == AddressKind::V4) {
    auto* in = reinterpret_cast<sockaddr_in*>(&out);
    std::memcpy(&in->sin_addr, ip_.data(), 4);
    in->sin_port = htons(port_);
    return sizeof(sockaddr_in);
  }
  if (kind_ == AddressKind::V6) {
    auto* in = reinterpret_cast<sockaddr_in6*>(&out);
    std::memcpy(&in->sin6_addr, ip_.data(), 16);
    in->sin6_port = htons(port_);
    return sizeof(sockaddr_in6);
  }
  auto* un = reinterpret_cast<sockaddr_un*>(&out);
  if (path_) std::memcpy(un->sun_path, path_->c_str(), path_->size() + 1);
  return sizeof(sockaddr_un);
}

size_t Address::write_ip(char* out) const {
  if (kind_ == AddressKind::V4) {
    // By hand: this is on the path of every request (X-Forwarded-For).
    char* at = out;
    for (size_t i = 0; i < 4; ++i) {
      if (i > 0) *at++ = '.';
      at = std::to_chars(at, at + 3, ip_[i]).ptr;
    }
    return static_cast<size_t>(at - out);
  }
  if (kind_ == AddressKind::V6) {
    inet_ntop(AF_INET6, ip_.data(), out, kMaxIpText);
    return std::strlen(out);
  }
  std::memcpy(out, "unix", 4);
  return 4;
}

size_t Address::write(char* out) const {
  char* at = out;
  const auto add = [&at](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  switch (kind_) {
    case AddressKind::None:
      break;
    case AddressKind::Unix:
      add(kUnixPrefix);
      if (path_) add(*path_);
      break;
    case AddressKind::V4:
    case AddressKind::V6:
      if (kind_ == AddressKind::V6) add("[");
      at += write_ip(at);
      add(kind_ == AddressKind::V6 ? "]:" : ":");
      at = std::to_chars(at, at + 5, port_).ptr;
      break;
  }
  return static_cast<size_t>(at - out);
}

std::string Address::to_string() const {
  char text[kMaxText];
  return {text, write(text)};
}

bool Address::operator==(const Address& other) const {
  if (kind_ != other.kind_ || port_ != other.port_ || ip_ != other.ip_) return false;
  if (kind_ != AddressKind::Unix) return true;
  return (path_ ? *path_ : "") == (other.path_ ? *other.path_ : "");
}

std::vector<Address> resolve(std::string_view text) {
  if (const auto numeric = Address::parse(text)) return {*numeric};
  const auto parts = split(text);
  if (!parts) throw std::runtime_error("'" + std::string(text) + "' is not host:port");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(parts->host.c_str(), std::to_string(parts->port).c_str(), &hints, &found);
  if (error != 0) {
    throw std::runtime_error("cannot resolve '" + parts->host + "': " + gai_strerror(error));
  }
  std::vector<Address> out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const Address address = Address::from_sockaddr(at->ai_addr, at->ai_addrlen);
    // A hosts file may name the same address twice; that is still one server.
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  freeaddrinfo(found);
  return out;
}

}  // namespace berth::net
