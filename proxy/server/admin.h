// The admin listener: metrics, health and state over HTTP, for operators and Prometheus, and a few
// commands.
#pragma once

#include <event2/event.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/server/admin_connections.h"
#include "proxy/server/admin_context.h"
#include "proxy/server/admin_pages.h"
#include "proxy/server/page_thread.h"

struct evhttp;
struct evhttp_request;

namespace berth::server {

// Thread: the one that drives `base`, the constructor and the destructor included. `base` and
// `context` outlive it.
class AdminServer {
 public:
  // Listens on "127.0.0.1:9145", "[::1]:9145", ":9145" or "unix:/path" (mode 0660). Throws
  // std::runtime_error that names the address and the reason.
  AdminServer(event_base* base, std::string_view address, AdminContext& context);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  // Closes the listener and its connections. A Unix socket's file is left for the next process.
  ~AdminServer();

  // The address in use; tells the port where 0 was asked for.
  const std::string& address() const { return address_; }

 private:
  struct HttpDeleter {
    void operator()(evhttp* http) const;
  };
  static void on_request(evhttp_request* request, void* self);
  void answer(evhttp_request* request);
  AdminPage rendered(const std::string& path) const;
  std::optional<AdminPage> refuse(evhttp_request* request) const;

  AdminContext& context_;
  std::unique_ptr<AdminConnections> connections_;  // behind http_, which tells it of their end
  std::unique_ptr<evhttp, HttpDeleter> http_;
  PageThread thread_;  // behind http_, whose requests it answers
  std::string address_;
};

}  // namespace berth::server
