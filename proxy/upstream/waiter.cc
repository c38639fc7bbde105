#include "proxy/upstream/waiter.h"

#include <utility>

#include "proxy/base/check.h"
#include "proxy/base/transition_table.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/upstream_connection.h"

namespace berth::upstream {

namespace {

using enum WaiterState;

constexpr TransitionTable<WaiterState> kTransitions = {
    {Resting, {Queued, Connecting}}, {Queued, {Resting}}, {Connecting, {Resting}}};

}  // namespace

void Waiter::set_state(WaiterState next) {
  BERTH_DCHECK(kTransitions.allows(state_, next));
  state_ = next;
}

void Waiter::enter_queue(Cluster& cluster, Ticket& ticket) {
  BERTH_DCHECK(arrival_ == 0 || arrival_ == ticket.arrival);  // it keeps its place
  set_state(Queued);
  cluster_ = &cluster;
  ticket_ = &ticket;
  arrival_ = ticket.arrival;
  since_ = cluster.env().now();
  if (deadline_ == TimePoint{}) deadline_ = since_ + cluster.settings().pool.queue_timeout;
  cluster.env().runtime.timers.arm(timer_, deadline_);
}

Duration Waiter::leave_queue() {
  set_state(Resting);
  ticket_ = nullptr;
  cluster_->env().runtime.cancel(timer_);
  return cluster_->env().now() - since_;
}

void Waiter::expect(UpstreamConnection& connection) {
  set_state(Connecting);
  connecting_ = &connection;
}

void Waiter::serve(UpstreamConnection& connection) {
  if (state_ == Connecting) set_state(Resting);
  on_lease(Lease(connection), source_);
}

void Waiter::fail(Refusal reason, const SharedServer* server) {
  if (state_ == Connecting) set_state(Resting);
  on_no_lease(reason, server);
}

void Waiter::on_timer(event::Timer&) {
  cluster_->on_queue_timeout(*this);
}

void Waiter::give_up() {
  switch (state_) {
    case Resting:
      return;
    case Queued:
      cluster_->on_client_gone(*this);
      return;
    case Connecting:
      set_state(Resting);
      connecting_->abandon_connect();
      return;
  }
}

}  // namespace berth::upstream
