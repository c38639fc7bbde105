// The connections to the admin port: few, so that they leave file descriptors to clients, and never
// so full that Prometheus or an operator cannot get in.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/util.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "proxy/base/unique_fd.h"

struct bufferevent;
struct evconnlistener;
struct evhttp;
struct evhttp_connection;

namespace berth::server {

// Thread: the one that drives `base`.
class AdminConnections {
 public:
  // With more, the one that has asked for nothing for longest is closed.
  static constexpr size_t kMost = 64;

  // Accepts on `fd`, which listens, for `http`; both end together, before this.
  AdminConnections(event_base* base, evhttp* http, UniqueFd fd);
  AdminConnections(const AdminConnections&) = delete;
  AdminConnections& operator=(const AdminConnections&) = delete;
  ~AdminConnections();

  // A request came on it.
  void used(evhttp_connection* connection);

 private:
  struct Held {
    void operator()(bufferevent* transport) const;
  };

  static bufferevent* on_accept(event_base* base, void* self);
  static void on_accepted(evutil_socket_t, short, void* self);
  static void on_starved(evconnlistener* listener, void* self);
  static void on_retry(evutil_socket_t, short, void* self);
  static void on_closed(evhttp_connection* connection, void* self);
  void adopt();
  void close_longest_idle();

  evconnlistener* listener_ = nullptr;                     // evhttp's
  std::vector<std::unique_ptr<bufferevent, Held>> fresh_;  // evhttp has just got them
  std::list<evhttp_connection*> open_;                     // evhttp's; the longest idle first
  struct event accepted_event_;
  struct event retry_event_;
};

}  // namespace berth::server
