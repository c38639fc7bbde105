#include "proxy/upstream/waiter_queue.h"

namespace berth::upstream {

bool WaiterQueue::push(Ticket& ticket, size_t limit) {
  const std::lock_guard lock(mutex_);
  const size_t waiting = waiting_.load(std::memory_order_relaxed);
  if (waiting >= limit) return false;
  ticket.arrival = ++arrivals_;
  tickets_.push_back(ticket);
  waiting_.store(waiting + 1, std::memory_order_seq_cst);
  return true;
}

Ticket* WaiterQueue::find_for(const SharedServer& server) {
  return tickets_.find_if([&](const Ticket& waiting) { return !waiting.tried.contains(&server); });
}

bool WaiterQueue::has_for(const SharedServer& server) {
  const std::lock_guard lock(mutex_);
  return find_for(server) != nullptr;
}

void WaiterQueue::put_back(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  // Those before it, few if any, came back as well.
  Ticket* next =
      tickets_.find_if([&](const Ticket& waiting) { return waiting.arrival > ticket.arrival; });
  if (next != nullptr) {
    tickets_.insert_before(*next, ticket);
  } else {
    tickets_.push_back(ticket);
  }
  waiting_.fetch_add(1, std::memory_order_seq_cst);
}

Ticket* WaiterQueue::pop_for(const SharedServer& server) {
  const std::lock_guard lock(mutex_);
  Ticket* ticket = find_for(server);
  if (ticket == nullptr) return nullptr;
  ticket->unlink();
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return ticket;
}

bool WaiterQueue::remove(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (!ticket.linked()) return false;
  ticket.unlink();
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return true;
}

}  // namespace berth::upstream
