#include "proxy/upstream/waiter_queue.h"

#include "proxy/upstream/shared_server.h"

namespace berth::upstream {

void WaiterQueue::count(const Ticket& ticket, int by) {
  const auto move = [by](std::atomic<size_t>& count) {
    const size_t before = count.fetch_add(static_cast<size_t>(by), std::memory_order_seq_cst);
    BERTH_DCHECK(by > 0 || before > 0);
    static_cast<void>(before);
  };
  move(waiting_);
  move(ticket.only != nullptr ? ticket.only->waiting_for_it : waiting_for_any_);
}

void WaiterQueue::take_out(Ticket& ticket) {
  ticket.unlink();
  count(ticket, -1);
}

bool WaiterQueue::push(Ticket& ticket, size_t limit) {
  const std::lock_guard lock(mutex_);
  const bool full = waiting_.load(std::memory_order_relaxed) >= limit;
  if (full && (ticket.arrival == 0 || limit == 0)) return false;
  if (ticket.arrival != 0) {
    insert(ticket);
    return true;
  }
  // Numbered under the lock: whoever waits already arrived before.
  ticket.arrival = arrive();
  tickets_.push_back(ticket);
  count(ticket, +1);
  return true;
}

void WaiterQueue::put_back(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  insert(ticket);
}

void WaiterQueue::insert(Ticket& ticket) {
  // Those before it, few if any, came back as well.
  Ticket* next =
      tickets_.find_if([&](const Ticket& waiting) { return waiting.arrival > ticket.arrival; });
  if (next != nullptr) {
    tickets_.insert_before(*next, ticket);
  } else {
    tickets_.push_back(ticket);
  }
  count(ticket, +1);
}

bool WaiterQueue::remove(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (!ticket.linked()) return false;
  take_out(ticket);
  return true;
}

}  // namespace berth::upstream
