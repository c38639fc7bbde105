#include "proxy/server/page_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "proxy/event/signals.h"

namespace berth::server {

PageThread::PageThread(event_base* base) : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
  event_assign(&done_event_, base, wake_.get(), EV_READ | EV_PERSIST, on_done, this);
  event_add(&done_event_, nullptr);
}

PageThread::~PageThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  event_del(&done_event_);
  deliver_done();
  const AdminPage stopping{503, "text/plain; charset=utf-8", "Berth is stopping.\n"};
  for (const Job& job : waiting_) job.deliver(stopping);
}

void PageThread::render(Render render, Deliver deliver) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(render), std::move(deliver), {}});
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
}

void PageThread::run() {
  event::leave_signals_to_main_thread();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    job.page = job.render();
    lock.lock();
    done_.push_back(std::move(job));
    const uint64_t one = 1;
    // Fails only when the count is at its maximum, and then the loop is awake.
    if (::write(wake_.get(), &one, sizeof one) < 0) continue;
  }
}

void PageThread::on_done(evutil_socket_t fd, short, void* self) {
  uint64_t count = 0;
  if (::read(fd, &count, sizeof count) < 0) return;
  static_cast<PageThread*>(self)->deliver_done();
}

void PageThread::deliver_done() {
  std::vector<Job> done;
  {
    const std::lock_guard lock(mutex_);
    done.swap(done_);
  }
  for (const Job& job : done) job.deliver(job.page);
}

}  // namespace berth::server
