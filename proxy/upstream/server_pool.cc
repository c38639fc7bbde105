#include "proxy/upstream/server_pool.h"

#include "proxy/base/check.h"
#include "proxy/base/count.h"
#include "proxy/upstream/waiter.h"
#include "proxy/upstream/worker_pools.h"

namespace berth::upstream {

namespace {

stats::UpstreamState gauge_of(ConnectionState state) {
  switch (state) {
    case ConnectionState::Connecting:
      return stats::UpstreamState::Connecting;
    case ConnectionState::Idle:
      return stats::UpstreamState::Idle;
    case ConnectionState::Busy:
      return stats::UpstreamState::Active;
    case ConnectionState::Upgraded:
    case ConnectionState::Closed:
      break;
  }
  return stats::UpstreamState::Upgraded;
}

// After a connection that could not even begin, or that was not needed just now.
constexpr Duration kWarmAgainAfter = std::chrono::seconds(1);

// A connection that was not needed for so long is surplus. A burst of requests leaves more idle
// connections than max_idle, and the next burst may need them a moment later.
constexpr Duration kSurplusAfter = std::chrono::seconds(1);

// A limit below this leaves little to reuse between requests.
constexpr int64_t kLowIdleLimitMs = 500;

bool is_active(ConnectionState state) {
  return state == ConnectionState::Connecting || state == ConnectionState::Busy;
}

}  // namespace

ServerPool::ServerPool(WorkerPools& pools, std::shared_ptr<SharedServer> server, Settings settings,
                       std::shared_ptr<stats::ServerStats> stats)
    : pools_(pools),
      env_(pools.env()),
      server_(std::move(server)),
      settings_(std::move(settings)),
      stats_(std::move(stats)),
      draining_(env_, *stats_, *this),
      return_timer_(*this),
      surplus_timer_(*this) {
  server_->first_seen(env_.now());
  if (server_->states.has(Availability::Ejected)) wake_at(server_->ejector.until());
}

ServerPool::~ServerPool() {
  const auto close = [](UpstreamConnection& c) { c.close(CloseReason::Shutdown); };
  idle_.for_each(close);
  others_.for_each(close);
  event::TurnTask::unlink();
}

// --- Taking.

UpstreamConnection* ServerPool::fresh_idle() {
  while (!idle_.empty()) {
    const bool lifo = settings_->pool.reuse == config::Reuse::Lifo;
    UpstreamConnection& connection = lifo ? idle_.front() : idle_.back();
    if (connection.check_fresh()) return &connection;
  }
  return nullptr;
}

Lease ServerPool::take_idle(Freshness wanted) {
  if (wanted == Freshness::New && server_->slots.has_room()) return Lease();
  UpstreamConnection* connection = fresh_idle();
  if (connection == nullptr) return Lease();
  if (wanted == Freshness::Young && connection->in_last_quarter() && server_->slots.has_room()) {
    return Lease();
  }
  stats_->idle_age_at_reuse.observe(stats::as_millis(env_.now() - connection->idle_since()));
  connection->lease_out();
  return Lease(*connection);
}

CloseReason ServerPool::connect(Slot slot, Waiter* waiter, Trial trial) {
  UpstreamConnection& connection =
      join(std::make_unique<UpstreamConnection>(*this, std::move(slot)));
  stats_->connections_opened.add();
  const CloseReason failure = connection.connect(waiter, std::move(trial));
  if (failure == CloseReason::None && waiter != nullptr) waiter->expect(connection);
  return failure;
}

void ServerPool::try_again() {
  if (!server_->backoff.away()) return;
  Slot slot = server_->slots.try_take();
  if (!slot) return;  // one that closes looks at the queue
  if (Trial trial = server_->backoff.begin_trial(env_.now())) {
    connect(std::move(slot), nullptr, std::move(trial));
    return;
  }
  // Another worker may have found no room for those who wait because of this slot.
  slot.give_back();
  if (!server_->backoff.away()) pump_later();
}

bool ServerPool::idle_elsewhere() const {
  for (uint32_t worker = 0; worker < server_->workers(); ++worker) {
    if (worker != env_.worker && server_->idle(worker) > 0) return true;
  }
  return false;
}

// Every connection is idle or carries a request: the bound and the idle counts, which are shared
// anyway, say how many requests there are without one more shared write for each.
uint32_t ServerPool::active_elsewhere() const {
  if (server_->workers() <= 1) return 0;
  const uint32_t used = server_->slots.used();
  const uint32_t others = server_->idle_total() + active();
  return used > others ? used - others : 0;
}

void ServerPool::ask_other_workers() {
  for (uint32_t worker = 0; worker < server_->workers(); ++worker) {
    if (worker != env_.worker && server_->idle(worker) > 0) pools_.ask_to_pump(worker, server_);
  }
}

// --- Giving.

void ServerPool::pump_later() {
  env_.runtime.turn.later(*this);
}

void ServerPool::run() {
  serve_queue();
  // Kept for those who waited; it serves nobody else.
  if (server_->retired.load(std::memory_order_relaxed) && has_idle() &&
      !server_->cluster->queue.has([this](const Ticket& ticket) { return may_grant(ticket); })) {
    close_idle(CloseReason::Retired);
  }
  trim_later();
  keep_warm();
  // What it gives back is its successor's.
  Cluster* cluster =
      server_->retired.load(std::memory_order_relaxed) ? pools_.find(*server_->cluster) : nullptr;
  if (cluster != nullptr) cluster->pump_those_that_stay();
}

void ServerPool::wake_at(TimePoint at) {
  if (!return_timer_.armed() || at < return_timer_.deadline()) {
    env_.runtime.timers.arm(return_timer_, at);
  }
}

void ServerPool::on_timer(event::Timer& timer) {
  if (&timer == &surplus_timer_) {
    trim_idle();
    return;
  }
  // The server may be back.
  if (server_->end_ejection(env_.now())) on_ejection_over();
  if (server_->states.has(Availability::Ejected)) wake_at(server_->ejector.until());
  pump_later();
  if (server_->cluster->queue.waiting() > 0) ask_other_workers();
}

bool ServerPool::may_grant(const Ticket& ticket) const {
  const Cluster* cluster = pools_.find(*server_->cluster);
  if (cluster != nullptr) return cluster->balancer().may_grant(*server_, ticket, env_.now());
  // An upstream of which only those who wait elsewhere are left: every server helps.
  return !ticket.tried.contains(server_.get());
}

bool ServerPool::someone_waits() const {
  WaiterQueue& queue = server_->cluster->queue;
  return queue.waiting() > 0 && !server_->backoff.away() &&
         queue.has([this](const Ticket& ticket) { return may_grant(ticket); });
}

void ServerPool::serve_queue() {
  WaiterQueue& queue = server_->cluster->queue;
  const auto fits = [this](const Ticket& ticket) { return may_grant(ticket); };
  while (queue.waiting() > 0 && server_->may_serve()) {
    if (!queue.has(fits)) {
      if (server_->ejector.ejected(env_.now())) wake_at(server_->ejector.until());
      return;
    }
    UpstreamConnection* idle = fresh_idle();
    Slot slot;
    if (idle == nullptr) {
      if (server_->backoff.away()) {
        try_again_in_time();
        return;
      }
      slot = server_->slots.try_take();
      if (!slot) return;
    }
    // Another worker may have served it meanwhile; then the slot goes back and the queue is looked
    // at again.
    TicketPtr ticket = queue.pop_if(fits);
    if (ticket != nullptr) grant(std::move(ticket), idle, std::move(slot));
  }
}

// Tries the server again when its pause is over, so that waiters need no new request for that.
void ServerPool::try_again_in_time() {
  if (env_.now() < server_->backoff.due()) {
    wake_at(server_->backoff.due());
  } else {
    try_again();
  }
}

void ServerPool::grant(TicketPtr ticket, UpstreamConnection* idle, Slot slot) {
  if (ticket->home != &pools_) {
    std::unique_ptr<UpstreamConnection> travelling;
    if (idle != nullptr) travelling = part_with(*idle);
    pools_.send_grant(std::move(ticket), std::move(travelling), std::move(slot), server_);
    return;
  }
  Waiter* waiter = pools_.take_waiter(std::move(ticket), stats::AcquireSource::Queue);
  if (waiter == nullptr) return;  // gave up; what was meant for it stays where it is
  if (idle != nullptr) {
    lend(*idle, *waiter);
    return;
  }
  const CloseReason failure = connect(std::move(slot), waiter);
  if (failure != CloseReason::None) deliver_failure(*waiter, ConnectFailure::of(failure));
}

UpstreamConnection* ServerPool::adopt(std::unique_ptr<UpstreamConnection> connection) {
  UpstreamConnection& joined = join(std::move(connection));
  joined.join_worker(*this);
  // It was on its way when a reload came.
  if (const auto unfit = why_not_keep()) joined.close(*unfit);
  return joined.check_fresh() ? &joined : nullptr;
}

void ServerPool::lend(UpstreamConnection& idle, Waiter& waiter) {
  stats_->idle_age_at_reuse.observe(stats::as_millis(env_.now() - idle.idle_since()));
  idle.lease_out();
  deliver(waiter, idle);
}

void ServerPool::deliver(Waiter& waiter, UpstreamConnection& connection) {
  stats_->acquisitions[waiter.source()].add();
  waiter.serve(connection);
}

void ServerPool::deliver_failure(Waiter& waiter, ConnectFailure reason) {
  waiter.fail(Refusal::of(reason), server_.get());
}

// --- What the connections report.

UpstreamConnection& ServerPool::join(std::unique_ptr<UpstreamConnection> connection) {
  move_count(open_count_, +1);
  UpstreamConnection& joined = put(std::move(connection));
  if (joined.state() == ConnectionState::Idle) on_something_free();
  return joined;
}

std::unique_ptr<UpstreamConnection> ServerPool::part_with(UpstreamConnection& idle) {
  idle.leave_worker();
  move_count(open_count_, -1);
  if (settings_->pool.min_idle > 0) pump_later();
  return take(idle, ConnectionState::Idle);
}

ServerPool::List& ServerPool::list_of(ConnectionState state) {
  return state == ConnectionState::Idle ? idle_ : others_;
}

UpstreamConnection& ServerPool::put(std::unique_ptr<UpstreamConnection> connection) {
  const ConnectionState state = connection->state();
  // connecting + busy + idle + draining == slots held: each of them holds one, of the right kind.
  BERTH_DCHECK(connection->holds_slot_of(state == ConnectionState::Upgraded ? server_->upgraded
                                                                            : server_->slots));
  UpstreamConnection& put = state == ConnectionState::Idle
                                ? idle_.adopt_front(std::move(connection))
                                : others_.adopt(std::move(connection));
  count(state, +1);
  return put;
}

std::unique_ptr<UpstreamConnection> ServerPool::take(UpstreamConnection& connection,
                                                     ConnectionState state) {
  auto taken = list_of(state).extract(connection);
  count(state, -1);
  return taken;
}

void ServerPool::count(ConnectionState state, int by) {
  stats_->connections[gauge_of(state)].add(by);
  if (is_active(state)) move_count(active_count_, by);
  if (state != ConnectionState::Idle) return;
  move_count(idle_count_, by);
  publish_idle();
}

void ServerPool::publish_idle() {
  if (server_->workers() > 1) server_->publish_idle(env_.worker, idle_count_);
}

void ServerPool::on_state(UpstreamConnection& connection, ConnectionState before,
                          ConnectionState after) {
  put(take(connection, before));
  const bool one_less_or_more =
      before == ConnectionState::Idle || before == ConnectionState::Connecting;
  if (one_less_or_more && settings_->pool.min_idle > 0) pump_later();
  if (after == ConnectionState::Idle || after == ConnectionState::Upgraded) on_something_free();
}

void ServerPool::on_something_free() {
  if (server_->cluster->queue.waiting() > 0) pump_later();
  trim_later();
}

bool ServerPool::too_many_idle() const {
  const uint32_t most = settings_->pool.max_idle;
  // Usually there are no more connections than may be idle, and one load tells.
  if (server_->slots.used() <= most) return false;
  return idle_everywhere() > most;
}

uint32_t ServerPool::idle_everywhere() const {
  return server_->workers() > 1 ? server_->idle_total() : idle_count_;
}

// Opens this worker's share of min_idle ahead of need.
void ServerPool::keep_warm() {
  const uint32_t wanted = wanted_idle();
  if (wanted == 0 || !may_open_ahead()) return;
  const uint32_t workers = server_->workers();
  const uint32_t share = wanted / workers + static_cast<uint32_t>(env_.worker < wanted % workers);
  if (idle_count_ >= share) return;
  uint32_t warming = 0;
  others_.for_each([&](UpstreamConnection& c) { warming += static_cast<uint32_t>(c.warming()); });
  while (idle_count_ + warming < share) {
    // Another worker has more than its share. It may lose that.
    if (idle_everywhere() + warming >= wanted) {
      wake_at(env_.now() + kWarmAgainAfter);
      return;
    }
    Slot slot = server_->slots.try_take();
    if (!slot) return;
    if (connect(std::move(slot), nullptr) != CloseReason::None) {
      warm_again_at_ = env_.now() + kWarmAgainAfter;
      wake_at(warm_again_at_);
      return;
    }
    ++warming;
  }
}

// Idle connections that all workers together keep, whether or not anybody asks; 0: none.
uint32_t ServerPool::wanted_idle() const {
  // With a PROXY header, a connection is its client's.
  if (settings_->proxy_protocol != config::ProxyProtocol::Off) return 0;
  if (!pools_.keeps_warm() || server_->retired.load(std::memory_order_relaxed)) return 0;
  return settings_->pool.min_idle;
}

// Whether a connection that nobody waits for may be made now. If not, but later, wakes up then.
bool ServerPool::may_open_ahead() {
  if (server_->cluster->queue.waiting() > 0) return false;
  if (env_.now() < warm_again_at_) {
    wake_at(warm_again_at_);
    return false;
  }
  switch (server_->availability(env_.now())) {
    case Availability::Ready:
      return true;
    case Availability::BackingOff:
      try_again_in_time();
      return false;
    case Availability::Ejected:
      wake_at(server_->ejector.until());
      return false;
    case Availability::Unhealthy:
    case Availability::Draining:
      return false;
  }
  return false;
}

void ServerPool::trim_later() {
  if (!surplus_timer_.armed() && !idle_.empty() && too_many_idle()) {
    env_.runtime.arm(surplus_timer_, kSurplusAfter);
  }
}

// Closes what nobody has needed for a while, of what is idle beyond max_idle. What is left of the
// surplus may be another worker's.
void ServerPool::trim_idle() {
  const TimePoint unneeded_since = env_.now() - kSurplusAfter;
  while (!idle_.empty() && too_many_idle() && idle_.back().idle_since() <= unneeded_since) {
    idle_.back().close(CloseReason::MaxIdle);
  }
  if (!too_many_idle()) return;
  trim_later();
  ask_other_workers();
}

void ServerPool::on_closed(UpstreamConnection& connection, ConnectionState before,
                           ClosingConnection closing) {
  if (before != ConnectionState::Connecting) {
    stats_->requests_per_connection.observe(connection.requests());
  }
  env_.runtime.turn.dispose(take(connection, before));
  if (closing.transport != nullptr) {
    draining_.drain(std::move(closing), settings_->pool.close_timeout);
  } else {
    draining_.settle(std::move(closing));
  }
}

void ServerPool::on_let_go(CloseReason) {
  move_count(open_count_, -1);
  if (server_->cluster->queue.waiting() > 0 || settings_->pool.min_idle > 0) pump_later();
  if (open_count_ == 0) pools_.sweep_later();
}

void ServerPool::on_connected(Duration took, const net::Security* security) {
  stats_->connect_duration.observe(stats::as_micros(took));
  if (security != nullptr) {
    stats_->tls_handshakes[security->resumed ? stats::Handshake::Resumed : stats::Handshake::Full]
        .add();
  }
  // The end of a back-off: there may be more slots for those who wait.
  if (server_->connect_succeeded(env_.now()) && server_->cluster->queue.waiting() > 0) pump_later();
}

void ServerPool::on_connect_failed(ConnectFailure reason, std::string_view detail, TimePoint began,
                                   Trial trial) {
  stats_->connect_failures[reason].add();
  // (What Berth lacks says nothing about the server, but a trial is over.)
  if (reason == CloseReason::NoLocalResources && !trial) return;
  if (!server_->connect_failed(reason, began, env_.now(), std::move(trial))) {
    pump_later();
    return;
  }
  server_->learner.went_down(env_.now());
  if (Cluster* cluster = pools_.find(*server_->cluster)) cluster->look_for_servers();
  tell_trouble(reason, detail);
  on_error();
}

// --- What is said of the server.

void ServerPool::on_answer(uint16_t status) {
  if (server_->trouble.ends()) {
    if (ServerObserver* observer = pools_.observer()) observer->on_trouble_over(*server_);
  }
  judge(status);
}

void ServerPool::judge(uint16_t status) {
  if (status >= 500 && counts_as_error(settings_->ejection.count, status)) {
    on_error();
  } else {
    server_->ejector.succeeded();
  }
}

// What a server says, however odd, shows that it lives: a malformed response is to the ejector what
// the client gets for it, an answer of 502.
void ServerPool::on_failure(CloseReason reason, std::string_view detail) {
  tell_trouble(reason, detail);
  if (shows_life(reason)) {
    judge(info(reason).status);
  } else {
    on_error();
  }
}

void ServerPool::tell_trouble(CloseReason reason, std::string_view detail) {
  ServerObserver* const observer = pools_.observer();
  if (observer == nullptr || !server_->trouble.begins(env_.now())) return;
  observer->on_trouble(*server_, reason, detail);
}

void ServerPool::on_error() {
  const config::Ejection& limits = settings_->ejection;
  if (!limits.enabled || !server_->ejector.failed(limits)) return;
  if (Cluster* cluster = pools_.find(*server_->cluster)) cluster->eject(*this);
}

void ServerPool::on_ejection_over() {
  if (ServerObserver* observer = pools_.observer()) observer->on_ejection_over(*server_);
}

void ServerPool::on_ejected() {
  stats_->ejections.add();
  wake_at(server_->ejector.until());
  if (ServerObserver* observer = pools_.observer()) {
    observer->on_ejected(*server_, server_->ejector.until() - env_.now(),
                         settings_->ejection.errors);
  }
  if (Cluster* cluster = pools_.find(*server_->cluster)) cluster->look_for_servers();
}

void ServerPool::on_response(uint16_t status, Duration waited) {
  stats_->requests[stats::status_slot(status)].add();
  stats_->response_header_duration.observe(stats::as_micros(waited));
}

void ServerPool::on_idle_limit(const IdleLimit& limit) {
  // Written only when it changes: the facts are shared by all workers.
  const int64_t ms = static_cast<int64_t>(stats::as_millis(limit.limit));
  std::atomic<int64_t>& known = server_->facts.learned_keepalive_ms;
  if (known.load(std::memory_order_relaxed) == ms) return;
  const int64_t before = known.exchange(ms, std::memory_order_relaxed);
  server_->facts.learned_source.store(limit.source, std::memory_order_relaxed);
  server_->facts.keepalive_margin_ms.store(static_cast<int64_t>(stats::as_millis(limit.margin)),
                                           std::memory_order_relaxed);
  const bool was_low = before > 0 && before < kLowIdleLimitMs;
  if (limit.source != stats::LearnedSource::Observed || ms >= kLowIdleLimitMs || was_low) return;
  if (ServerObserver* observer = pools_.observer()) {
    observer->on_low_idle_limit(*server_, limit.limit + limit.margin, limit.limit);
  }
}

void ServerPool::on_peer_close(Duration idle_age, bool announced, bool served) {
  const TimePoint now = env_.now();
  stats_->idle_age_at_peer_close.observe(stats::as_millis(idle_age));
  if (!announced) server_->learner.observe(idle_age, now, served);
  if (!server_->learner.burst(idle_age, now)) return;
  server_->drop_idle_until(now);  // other workers see it when they next look at theirs
  close_idle(CloseReason::FinBurst);
}

void ServerPool::on_stale_avoided() {
  stats_->stale_reuse[stats::StaleOutcome::Avoided].add();
}

// --- Limits.

std::optional<UpstreamClose> ServerPool::why_not_keep() const {
  if (!server_->may_serve()) return UpstreamClose(CloseReason::Retired);
  if (server_->retired.load(std::memory_order_relaxed) && server_->cluster->queue.waiting() == 0) {
    return UpstreamClose(CloseReason::Retired);
  }
  if (server_->slots.over_limit()) return UpstreamClose(CloseReason::BoundLowered);
  if (server_->states.has(Availability::Draining)) return UpstreamClose(CloseReason::Drained);
  return std::nullopt;
}

void ServerPool::apply(Settings settings) {
  const Settings before = std::exchange(settings_, std::move(settings));
  if (!settings_->ejection.enabled && server_->pardon(env_.now())) on_ejection_over();
  while (server_->slots.over_limit() && !idle_.empty())
    idle_.back().close(CloseReason::BoundLowered);
  if (*before != *settings_) {
    const auto reach = [&before](UpstreamConnection& c) { c.on_new_limits(*before); };
    idle_.for_each(reach);
    others_.for_each(reach);
  }
  pump_later();
}

void ServerPool::close_idle(UpstreamClose reason) {
  idle_.for_each([reason](UpstreamConnection& c) { c.close(reason); });
}

void ServerPool::on_server_changed() {
  if (server_->states.has(Availability::Draining)) close_idle(CloseReason::Drained);
  pump_later();
}

}  // namespace berth::upstream
