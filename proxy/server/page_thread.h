// Renders pages that take long (the metrics of thousands of servers) on a thread of its own, so
// that health checks, reloads and signals do not wait for them.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "proxy/base/unique_fd.h"
#include "proxy/server/admin_pages.h"

namespace berth::server {

// Thread: the one that drives `base`, but for `Render`, which runs on the other one. That is
// started with the first page.
class PageThread {
 public:
  using Render = std::function<AdminPage()>;  // throws nothing
  using Deliver = std::function<void(const AdminPage&)>;

  explicit PageThread(event_base* base);
  PageThread(const PageThread&) = delete;
  PageThread& operator=(const PageThread&) = delete;
  // Waits for the page that is being rendered. Requests that still wait get 503.
  ~PageThread();

  // One after the other, in this order.
  void render(Render render, Deliver deliver);

 private:
  struct Job {
    Render render;
    Deliver deliver;
    AdminPage page;
  };

  static void on_done(evutil_socket_t, short, void* self);
  void run();
  void deliver_done();

  UniqueFd wake_;  // eventfd of the loop
  struct event done_event_;
  std::mutex mutex_;  // of the three below
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  std::vector<Job> done_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace berth::server
