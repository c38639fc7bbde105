// Pairs of connected sockets, and a loop that a test turns until something has happened.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "proxy/base/unique_fd.h"
#include "proxy/event/loop.h"
#include "proxy/net/address.h"
#include "proxy/net/transport.h"

namespace berth::net {

// Both non-blocking.
struct SocketPair {
  UniqueFd ours;
  UniqueFd theirs;
};

inline SocketPair unix_pair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

inline Address local_address(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length), 0);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
}

inline UniqueFd connect_to(const Address& address) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM, 0));
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0)
      << address.to_string();
  return fd;
}

// Listens on 127.0.0.1 with a port of the kernel's choice.
inline UniqueFd listener_socket(int backlog = 16) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_storage storage;
  const socklen_t length = Address::parse("127.0.0.1:0")->to_sockaddr(storage);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  EXPECT_EQ(::listen(fd.get(), backlog), 0);
  return fd;
}

inline SocketPair tcp_pair() {
  const UniqueFd listener = listener_socket();
  UniqueFd ours = connect_to(local_address(listener.get()));
  UniqueFd theirs(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK));
  EXPECT_TRUE(theirs);
  EXPECT_EQ(::fcntl(ours.get(), F_SETFL, O_NONBLOCK), 0);
  return {std::move(ours), std::move(theirs)};
}

// Closes with RST.
inline void reset(UniqueFd& fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  fd.reset();
}

inline void put(const UniqueFd& fd, std::string_view bytes) {
  EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

// What has arrived, "" if nothing has.
inline std::string take(const UniqueFd& fd) {
  char bytes[4096];
  const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  return got > 0 ? std::string(bytes, static_cast<size_t>(got)) : std::string();
}

// Turns the loop until `done`; gives up (and fails) after a time that no working machine needs.
template <class Done>
void turn_until(event::Loop& loop, Done&& done) {
  bool late = false;
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  struct event* watchdog = event_new(
      loop.base(), -1, 0,
      [](evutil_socket_t, short, void* flag) { *static_cast<bool*>(flag) = true; }, &late);
  event_add(watchdog, &patience);
  while (!done() && !late) event_base_loop(loop.base(), EVLOOP_ONCE);
  event_free(watchdog);
  EXPECT_FALSE(late) << "waited for something that never came";
}

// Everything that is ready now.
inline void turn(event::Loop& loop) {
  event_base_loop(loop.base(), EVLOOP_NONBLOCK);
}

// Records what it is told.
struct Recorder final : TransportHandler {
  void on_ready(Ready what) override {
    ++calls;
    seen.readable = seen.readable || what.readable;
    seen.writable = seen.writable || what.writable;
    seen.peer_closed = seen.peer_closed || what.peer_closed;
  }
  void forget() { *this = Recorder(); }

  int calls = 0;
  Ready seen;
};

}  // namespace berth::net
