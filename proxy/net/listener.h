// Listening sockets and the loop's accept on them.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <memory>
#include <string>

#include "proxy/base/unique_fd.h"
#include "proxy/event/loop.h"
#include "proxy/net/address.h"
#include "proxy/net/socket_transport.h"

namespace berth::net {

// A bound, listening, non-blocking socket; TCP ones with SO_REUSEPORT, so that each worker has its
// own. A stale Unix socket file (nobody listens) is replaced. Throws std::runtime_error that names
// the address and what to do.
UniqueFd listen_on(const Address& address, int backlog, uint32_t unix_mode);

// Whether something else than another listener of this user's own, such as a running Berth, is in
// the way of listening at a TCP address.
bool is_taken(const Address& address);

class AcceptHandler {
 public:
  // Not attached yet.
  virtual void on_accept(UniqueFd fd, const Address& peer) = 0;
  // accept() ran out of file descriptors or memory, or took one of those that are kept for other
  // uses than clients. True if room was made and it is to be tried again at once.
  virtual bool on_accept_starved(int error) = 0;

 protected:
  ~AcceptHandler() = default;
};

// Accepts for one worker. Thread: its worker's.
class Listener {
 public:
  Listener(event::Loop& loop, UniqueFd fd, AcceptHandler& handler);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  // How many connections the kernel keeps for us from now on.
  void set_backlog(uint32_t backlog);

  // Accepts what is waiting, up to a limit per call; then it returns true, and the rest is reported
  // at the next turn.
  bool accept_all();

 private:
  static void on_event(evutil_socket_t, short, void* self);
  static void on_retry(evutil_socket_t, short, void* self);
  void look_away();

  event::Loop& loop_;
  UniqueFd fd_;
  AcceptHandler& handler_;
  const int first_reserved_;  // file descriptor
  struct event event_;
  struct event retry_event_;
};

}  // namespace berth::net
