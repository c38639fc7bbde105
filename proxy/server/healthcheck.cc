#include "proxy/server/healthcheck.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <string_view>

#include "proxy/base/unique_fd.h"
#include "proxy/net/address.h"

namespace berth::server {

namespace {

constexpr timeval kPatience{.tv_sec = 3, .tv_usec = 0};

int unwell(const std::string& address, const std::string& why) {
  std::cerr << "berth: " << address << ": " << why << "\n";
  return 1;
}

}  // namespace

int run_healthcheck(const std::string& admin_address) {
  const bool any_host = admin_address.starts_with(':');
  const auto address = net::Address::parse(any_host ? "127.0.0.1" + admin_address : admin_address);
  if (!address) return unwell(admin_address, "not an address");
  UniqueFd fd(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  sockaddr_storage storage;
  const socklen_t length = address->to_sockaddr(storage);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return unwell(admin_address, std::strerror(errno));
  }
  constexpr std::string_view kRequest = "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n";
  if (::send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kRequest.size())) {
    return unwell(admin_address, std::strerror(errno));
  }
  char answer[64];
  const ssize_t got = ::recv(fd.get(), answer, sizeof answer, MSG_WAITALL);
  const std::string_view text(answer, got > 0 ? static_cast<size_t>(got) : 0);
  if (text.size() < 12 || text.substr(8, 4) != " 200") return unwell(admin_address, "not well");
  return 0;
}

}  // namespace berth::server
