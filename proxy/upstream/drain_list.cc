#include "proxy/upstream/drain_list.h"

#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/count.h"

namespace berth::upstream {

namespace {

// Upgraded connections stay apart to their end, as their bound is.
stats::UpstreamState gauge_of(SlotKind kind) {
  return kind == SlotKind::Pool ? stats::UpstreamState::Draining : stats::UpstreamState::Upgraded;
}

}  // namespace

DrainList::~DrainList() {
  while (!connections_.empty()) {
    const auto last = connections_.extract(connections_.front());
    count(*last, -1);
    closed(last->reason());
  }
}

void DrainList::drain(ClosingConnection closing, Duration close_timeout) {
  BERTH_DCHECK(closing.slot);
  closing.slot.leave();
  DrainObserver& self = *this;
  DrainingConnection& connection =
      connections_.adopt(std::make_unique<DrainingConnection>(env_, self, std::move(closing)));
  count(connection, +1);
  connection.begin(close_timeout);
}

void DrainList::settle(ClosingConnection closing) {
  BERTH_DCHECK(closing.transport == nullptr);
  closing.slot.give_back();
  closed(closing.reason);
  owner_.on_let_go(closing.reason);
}

void DrainList::count(const DrainingConnection& connection, int by) {
  stats_.connections[gauge_of(connection.kind())].add(by);
  if (connection.kind() == SlotKind::Pool) move_count(slots_, by);
}

void DrainList::closed(CloseReason reason) {
  stats_.connections_closed[reason].add();
}

void DrainList::on_drained(DrainingConnection& connection, bool in_time) {
  count(connection, -1);
  closed(connection.reason());
  if (!in_time) stats_.close_timeouts.add();
  env_.runtime.turn.dispose(connections_.extract(connection));
  owner_.on_let_go(connection.reason());
}

}  // namespace berth::upstream
