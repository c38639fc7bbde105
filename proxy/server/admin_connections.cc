#include "proxy/server/admin_connections.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <unordered_map>

#include "proxy/server/log.h"
#include "proxy/server/log_limit.h"

namespace berth::server {
namespace {

// Accepted in a row, before there are too many.
constexpr size_t kMostFresh = 8;
constexpr timeval kRetryAfter{.tv_sec = 0, .tv_usec = 250'000};

// Finds the owner of a listener in its error callback, whose argument belongs to evhttp.
thread_local std::unordered_map<evconnlistener*, AdminConnections*> owners;

// A request is on it, or a response.
bool is_busy(evhttp_connection* connection) {
  bufferevent* transport = evhttp_connection_get_bufferevent(connection);
  if (evbuffer_get_length(bufferevent_get_output(transport)) != 0) return true;
  if (evbuffer_get_length(bufferevent_get_input(transport)) != 0) return true;
  char byte = 0;
  return ::recv(bufferevent_getfd(transport), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace

void AdminConnections::Held::operator()(bufferevent* transport) const {
  bufferevent_decref(transport);
}

AdminConnections::AdminConnections(event_base* base, evhttp* http, UniqueFd fd) {
  event_assign(&accepted_event_, base, -1, 0, on_accepted, this);
  event_assign(&retry_event_, base, -1, 0, on_retry, this);
  listener_ = evconnlistener_new(base, nullptr, nullptr,
                                 LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, fd.get());
  if (listener_ == nullptr) throw std::runtime_error("the socket cannot be watched");
  fd.release();
  if (evhttp_bind_listener(http, listener_) == nullptr) {
    evconnlistener_free(listener_);
    throw std::runtime_error("the socket cannot be watched");
  }
  owners[listener_] = this;
  evconnlistener_set_error_cb(listener_, on_starved);
  evhttp_set_bevcb(http, on_accept, this);
}

AdminConnections::~AdminConnections() {
  owners.erase(listener_);
  event_del(&accepted_event_);
  event_del(&retry_event_);
}

void AdminConnections::used(evhttp_connection* connection) {
  const auto found = std::find(open_.begin(), open_.end(), connection);
  if (found != open_.end()) open_.splice(open_.end(), open_, found);
}

// evhttp is about to make a connection of it, which it does not show before there is a request.
bufferevent* AdminConnections::on_accept(event_base* base, void* self) {
  auto& connections = *static_cast<AdminConnections*>(self);
  bufferevent* transport = bufferevent_socket_new(base, -1, 0);
  if (transport == nullptr) return nullptr;
  bufferevent_incref(transport);
  connections.fresh_.emplace_back(transport);
  if (connections.fresh_.size() == kMostFresh) evconnlistener_disable(connections.listener_);
  event_active(&connections.accepted_event_, EV_TIMEOUT, 1);
  return transport;
}

void AdminConnections::on_accepted(evutil_socket_t, short, void* self) {
  static_cast<AdminConnections*>(self)->adopt();
}

void AdminConnections::adopt() {
  for (const auto& transport : fresh_) {
    bufferevent_data_cb reads = nullptr;
    void* connection = nullptr;
    bufferevent_getcb(transport.get(), &reads, nullptr, nullptr, &connection);
    if (reads == nullptr) continue;  // evhttp has given it up already
    open_.push_back(static_cast<evhttp_connection*>(connection));
    evhttp_connection_set_closecb(open_.back(), on_closed, this);
  }
  fresh_.clear();
  while (open_.size() > kMost) close_longest_idle();
  if (!evtimer_pending(&retry_event_, nullptr)) evconnlistener_enable(listener_);
}

void AdminConnections::close_longest_idle() {
  const auto idle = std::find_if_not(open_.begin(), open_.end(), is_busy);
  evhttp_connection* const connection = idle != open_.end() ? *idle : open_.front();
  // As if its time were over; on_closed() follows.
  bufferevent_trigger_event(evhttp_connection_get_bufferevent(connection),
                            BEV_EVENT_TIMEOUT | BEV_EVENT_READING, 0);
  std::erase(open_, connection);
}

void AdminConnections::on_closed(evhttp_connection* connection, void* self) {
  std::erase(static_cast<AdminConnections*>(self)->open_, connection);
}

// Without this, libevent would try again at every turn, with a line in the log each time.
void AdminConnections::on_starved(evconnlistener* listener, void*) {
  static LogLimit limit(std::chrono::seconds(10));
  const int error = errno;
  if (limit.admit(std::chrono::steady_clock::now())) {
    log_warn("admin", "a connection cannot be accepted: ", std::generic_category().message(error));
  }
  const auto owner = owners.find(listener);
  if (owner == owners.end()) return;
  evconnlistener_disable(listener);
  evtimer_add(&owner->second->retry_event_, &kRetryAfter);
}

void AdminConnections::on_retry(evutil_socket_t, short, void* self) {
  evconnlistener_enable(static_cast<AdminConnections*>(self)->listener_);
}

}  // namespace berth::server
