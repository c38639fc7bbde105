#include "proxy/server/admin_client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iostream>

#include "proxy/base/unique_fd.h"
#include "proxy/net/address.h"

namespace berth::server {

namespace {

constexpr timeval kPatience{.tv_sec = 3, .tv_usec = 0};
constexpr size_t kMostAnswer = size_t{64} * 1024 * 1024;

Failure<std::string> system_error() {
  const int error = errno;
  return Failure{std::string(error == EAGAIN ? "no answer" : std::strerror(error))};
}

AdminAnswer understand(std::string_view text) {
  AdminAnswer answer;
  if (text.size() < 12 || !text.starts_with("HTTP/1.")) return answer;
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);
  const size_t body = text.find("\r\n\r\n");
  if (body != std::string_view::npos) answer.body = text.substr(body + 4);
  return answer;
}

}  // namespace

Result<AdminAnswer, std::string> ask_admin(const std::string& admin_address,
                                           std::string_view method, std::string_view target) {
  const bool any_host = admin_address.starts_with(':');
  const auto address = net::Address::parse(any_host ? "127.0.0.1" + admin_address : admin_address);
  if (!address) return Failure{std::string("not an address")};
  const UniqueFd fd(::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  sockaddr_storage storage;
  const socklen_t length = address->to_sockaddr(storage);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return system_error();
  }
  const std::string request = std::string(method) + " " + std::string(target) +
                              " HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return system_error();
  }
  std::string text;
  char part[4096];
  for (;;) {
    const ssize_t got = ::recv(fd.get(), part, sizeof part, 0);
    if (got < 0 && text.empty()) return system_error();
    if (got <= 0 || text.size() > kMostAnswer) break;
    text.append(part, static_cast<size_t>(got));
  }
  return understand(text);
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || std::string_view("-._~:/").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

int run_drain(const DrainCommand& command) {
  std::string target = command.path + "?server=" + percent_encode(command.server);
  if (!command.upstream.empty()) target += "&upstream=" + percent_encode(command.upstream);
  return run_ask(command.admin, "POST", target);
}

int run_ask(const std::string& admin_address, std::string_view method, std::string_view target) {
  const auto body = ask_or_complain(admin_address, method, target);
  if (!body) return 1;
  std::cout << *body;
  return 0;
}

std::optional<std::string> ask_or_complain(const std::string& admin_address,
                                           std::string_view method, std::string_view target) {
  auto answer = ask_admin(admin_address, method, target);
  if (!answer) {
    std::cerr << "berth: " << admin_address << ": " << answer.error() << "\n";
    return std::nullopt;
  }
  if (answer->status != 200) {
    std::cerr << "berth: " << admin_address << ": " << answer->body;
    if (!answer->body.ends_with('\n')) std::cerr << "status " << answer->status << "\n";
    return std::nullopt;
  }
  return std::move(answer->body);
}

}  // namespace berth::server
