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

TicketPtr WaiterQueue::take_out(Ticket& ticket) {
  count(ticket, -1);
  return tickets_.extract(ticket);
}

Ticket* WaiterQueue::push(TicketPtr ticket, size_t limit) {
  const std::lock_guard lock(mutex_);
  const bool full = waiting_.load(std::memory_order_relaxed) >= limit;
  if (full && (ticket->arrival == 0 || limit == 0)) return nullptr;
  if (ticket->arrival != 0) return insert(std::move(ticket));
  // Numbered under the lock: whoever waits already arrived before.
  ticket->arrival = arrive();
  Ticket& added = tickets_.adopt(std::move(ticket));
  count(added, +1);
  return &added;
}

void WaiterQueue::put_back(TicketPtr ticket) {
  const std::lock_guard lock(mutex_);
  insert(std::move(ticket));
}

Ticket* WaiterQueue::insert(TicketPtr ticket) {
  // Those before it, few if any, came back as well.
  Ticket* next =
      tickets_.find_if([&](const Ticket& waiting) { return waiting.arrival > ticket->arrival; });
  Ticket& added = next != nullptr ? tickets_.adopt_before(*next, std::move(ticket))
                                  : tickets_.adopt(std::move(ticket));
  count(added, +1);
  return &added;
}

TicketPtr WaiterQueue::withdraw(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (!ticket.linked()) return nullptr;
  return take_out(ticket);
}

}  // namespace berth::upstream
