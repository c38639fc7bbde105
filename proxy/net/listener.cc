#include "proxy/net/listener.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <stdexcept>

namespace berth::net {

namespace {

// Accepts per turn, so that a flood of connections does not starve those that stand.
constexpr int kAcceptsPerTurn = 256;
constexpr timeval kRetryAfter{.tv_sec = 0, .tv_usec = 100'000};

// File descriptors that clients leave to connections to servers, the admin port, logs and files; a
// quarter of all where there are few.
constexpr rlim_t kReserved = 64;

// The kernel gives out the lowest number that is free: who gets this one or a higher one takes from
// the reserve.
int first_reserved() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
  const rlim_t all = std::min<rlim_t>(limit.rlim_cur, INT_MAX);
  return static_cast<int>(all - std::min(all / 4, kReserved));
}

[[noreturn]] void fail(const Address& address, const std::string& what, int error) {
  std::string hint;
  if (error == EADDRINUSE) {
    hint = address.kind() == AddressKind::Unix
               ? " (another process listens there, or it is no socket)"
               : " (another process listens there)";
  }
  if (error == EACCES && address.port() != 0 && address.port() < 1024) {
    hint = " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  }
  if (error == EADDRNOTAVAIL) hint = " (this machine has no such address)";
  throw std::runtime_error("cannot " + what + " " + address.to_string() + ": " +
                           std::strerror(error) + hint);
}

// A socket file that is left over from a process that died would make bind() fail for ever. Nothing
// but a socket is ever removed: connect() refuses other files, too.
void remove_stale_socket(const sockaddr_un& address) {
  struct stat facts {};
  if (::lstat(address.sun_path, &facts) != 0 || !S_ISSOCK(facts.st_mode)) return;
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(address.sun_path);
  }
}

}  // namespace

UniqueFd listen_on(const Address& address, int backlog, uint32_t unix_mode) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) fail(address, "make a socket for", errno);
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  const int on = 1;
  const int off = 0;
  if (address.kind() == AddressKind::Unix) {
    remove_stale_socket(reinterpret_cast<const sockaddr_un&>(storage));
  } else {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address.kind() == AddressKind::V6) {
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    fail(address, "listen on", errno);
  }
  if (address.kind() == AddressKind::Unix) {
    ::chmod(reinterpret_cast<const sockaddr_un&>(storage).sun_path, unix_mode);
  }
  if (::listen(fd.get(), backlog) != 0) fail(address, "listen on", errno);
  return fd;
}

bool is_taken(const Address& address) {
  const UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
         errno == EADDRINUSE;
}

Listener::Listener(event::Loop& loop, UniqueFd fd, AcceptHandler& handler)
    : loop_(loop), fd_(std::move(fd)), handler_(handler), first_reserved_(first_reserved()) {
  // Level-triggered: what one turn leaves in the backlog, the next one reports.
  event_assign(&event_, loop.base(), fd_.get(), EV_READ | EV_PERSIST, on_event, this);
  event_assign(&retry_event_, loop.base(), -1, 0, on_retry, this);
  event_add(&event_, nullptr);
}

Listener::~Listener() {
  event_del(&event_);
  event_del(&retry_event_);
}

void Listener::set_backlog(uint32_t backlog) {
  // Of a socket that listens already, listen(2) changes nothing else.
  ::listen(fd_.get(), static_cast<int>(backlog));
}

void Listener::on_event(evutil_socket_t, short, void* self) {
  auto& listener = *static_cast<Listener*>(self);
  listener.loop_.begin_turn();
  listener.accept_all();
}

void Listener::on_retry(evutil_socket_t, short, void* self) {
  auto& listener = *static_cast<Listener*>(self);
  event_add(&listener.event_, nullptr);
}

// There is nothing to close: for a moment, instead of spinning.
void Listener::look_away() {
  event_del(&event_);
  event_add(&retry_event_, &kRetryAfter);
}

bool Listener::accept_all() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage peer;
    socklen_t length = sizeof peer;
    UniqueFd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      const bool reserved = fd.get() >= first_reserved_;
      handler_.on_accept(std::move(fd),
                         Address::from_sockaddr(reinterpret_cast<sockaddr*>(&peer), length));
      if (!reserved || handler_.on_accept_starved(EMFILE)) continue;
      look_away();
      return false;
    }
    switch (errno) {
      case EAGAIN:
        return false;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        if (handler_.on_accept_starved(errno)) continue;
        look_away();
        return false;
      default:
        continue;  // this one connection failed before it was accepted
    }
  }
  return true;
}

}  // namespace berth::net
