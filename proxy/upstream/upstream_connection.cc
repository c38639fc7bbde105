#include "proxy/upstream/upstream_connection.h"

#include <algorithm>
#include <array>

#include "proxy/base/check.h"
#include "proxy/base/transition_table.h"
#include "proxy/net/connect_error.h"
#include "proxy/net/proxy_header.h"
#include "proxy/upstream/server_pool.h"
#include "proxy/upstream/waiter.h"

namespace berth::upstream {

namespace {

using enum ConnectionState;

// An idle connection older than this is looked at before it is used.
constexpr Duration kProbeAfter = std::chrono::seconds(1);
// How soon a write to a connection that the server has closed comes back.
constexpr Duration kStaleShowsWithin = std::chrono::seconds(1);
constexpr uint64_t kJitterRange = 103;  // up to 10 % of 1024

constexpr TransitionTable<ConnectionState> kTransitions = {
    {Connecting, {Idle, Busy}}, {Idle, {Busy}}, {Busy, {Idle, Upgraded}}};

using enum RequestSide;
constexpr TransitionTable<RequestSide> kRequestTransitions = {
    {RequestSide::None, {Sending}},
    {Sending, {Sent, Broken, BrokenAfterFin}},
    {Sent, {RequestSide::None, Tunnel, Broken, BrokenAfterFin}},
    {Tunnel, {TunnelEnded, Broken, BrokenAfterFin}},
    {TunnelEnded, {Broken, BrokenAfterFin}}};

constexpr TransitionTable<ResponseSide> kResponseTransitions = {
    {ResponseSide::None, {ResponseSide::Awaited}},
    {ResponseSide::Awaited, {ResponseSide::Head}},
    {ResponseSide::Head, {ResponseSide::Body, ResponseSide::Done}},
    {ResponseSide::Body, {ResponseSide::Done}},
    {ResponseSide::Done, {ResponseSide::None}}};

}  // namespace

UpstreamConnection::UpstreamConnection(ServerPool& pool, Slot slot)
    : pool_(&pool),
      id_(pool.env().new_connection()),
      slot_(std::move(slot)),
      timer_(*this),
      jitter_(static_cast<uint8_t>(pool.env().random.below(kJitterRange))) {}

UpstreamConnection::~UpstreamConnection() = default;

void UpstreamConnection::set_state(ConnectionState next) {
  BERTH_DCHECK(kTransitions.allows(state_, next));
  const ConnectionState before = state_;
  state_ = next;
  pool_->on_state(*this, before, next);
}

void UpstreamConnection::set_request(RequestSide next) {
  BERTH_DCHECK(kRequestTransitions.allows(request_, next));
  request_ = next;
}

void UpstreamConnection::set_response(ResponseSide next) {
  BERTH_DCHECK(kResponseTransitions.allows(response_, next));
  response_ = next;
}

CloseReason UpstreamConnection::connect(Waiter* waiter, Trial trial) {
  net::WorkerEnv& env = pool_->env();
  opened_ = env.now();
  trial_ = std::move(trial);
  net::ConnectOptions options{.keepalive = pool_->settings().tcp_keepalive,
                              .tls = pool_->server().tls.get(),
                              .other = pool_->server().other.get()};
  if (const auto version = pool_->settings().proxy_protocol;
      version != config::ProxyProtocol::Off) {
    // What is nobody's is Berth's own.
    options.first_bytes = waiter != nullptr ? waiter->proxy_header(version)
                                            : net::write_proxy_header(version, {}, {});
  }
  auto transport = env.network.connect(pool_->server().address, options, *this);
  if (!transport) {
    const auto reason = ConnectFailure::of(transport.error());
    connect_failed(reason);
    close(UpstreamClose::of(reason));
    return reason;
  }
  transport_ = std::move(*transport);
  waiter_ = waiter;
  arm_timer();
  return CloseReason::None;
}

void UpstreamConnection::finish_connect(net::Ready ready) {
  const auto result = transport_->finish_connect();
  if (result.status == net::IoStatus::Again) return;
  if (result.status == net::IoStatus::Reset) {
    if (net::never_connected(result.reason)) server_end_ = ServerEnd::Gone;
    connect_failed(ConnectFailure::of(result.reason), transport_->failure_detail());
    fail(UpstreamClose::of(result.reason));
    return;
  }
  // A server that speaks or hangs up before it is asked.
  if ((ready.readable || ready.peer_closed) && transport_->probe() != net::Probe::Quiet) {
    const ConnectFailure reason = why_it_speaks_first();
    const std::string detail(transport_->failure_detail());
    connect_failed(reason, detail);
    fail(UpstreamClose::of(reason));
    return;
  }
  pool_->on_connected(pool_->env().now() - opened_, transport_->security());
  trial_.end();
  Waiter* waiter = std::exchange(waiter_, nullptr);
  if (waiter == nullptr) {
    give_back(CloseReason::None);
    return;
  }
  set_state(Busy);
  pool_->deliver(*waiter, *this);
}

void UpstreamConnection::connect_failed(ConnectFailure reason, std::string_view detail) {
  pool_->on_connect_failed(reason, detail, opened_, std::move(trial_));
}

// --- The request.

void UpstreamConnection::lease_out() {
  leased_at_ = pool_->env().now();
  set_state(Busy);
}

bool UpstreamConnection::begin(const Request& request, ResponseHandler& handler) {
  if (request.upgrade != nullptr) {
    upgrade_slot_ = pool_->server().upgraded.try_take();
    if (!upgrade_slot_) return false;
  }
  ++requests_;
  handler_ = &handler;
  set_request(Sending);
  set_response(ResponseSide::Awaited);
  method_ = request.method;
  upgrade_wanted_ = request.upgrade;
  sent_at_ = {};
  interims_ = 0;
  accepted_ = 0;
  last_reason_ = request.upgrade ? CloseReason::None : why_last_request();
  acked_before_ = request.prove_fin ? transport_->bytes_acked() : UINT64_MAX;
  progress_.reset();
  return true;
}

bool UpstreamConnection::send(const iovec* parts, int count) {
  if (write_broken()) return false;
  const net::IoResult sent = out_.send(*transport_, parts, count, pool_->env().scratch);
  count_sent(sent.bytes);
  if (sent.status == net::IoStatus::Reset) {
    on_write_broken();
    return false;
  }
  if (!out_.empty() || response_ == ResponseSide::Body) arm_timer();
  return true;
}

void UpstreamConnection::count_sent(size_t bytes) {
  accepted_ += bytes;
  pool_->stats().sent_bytes.add(bytes);
}

void UpstreamConnection::request_complete() {
  if (!write_broken()) set_request(Sent);
  sent_at_ = pool_->env().now();
  arm_timer();
}

void UpstreamConnection::shutdown_write() {
  if (write_broken()) return;
  set_request(TunnelEnded);
  if (out_.empty()) transport_->shutdown_write();
}

void UpstreamConnection::flush() {
  const net::IoResult sent = out_.flush(*transport_);
  count_sent(sent.bytes);
  if (sent.status == net::IoStatus::Reset) {
    on_write_broken();
    return;
  }
  arm_timer();
  if (!out_.empty()) return;
  if (request_ == TunnelEnded) transport_->shutdown_write();
  if (handler_ != nullptr) handler_->on_request_drained();
}

// What the server had sent before it hung up is read at the end of the turn.
void UpstreamConnection::on_write_broken() {
  set_request(server_end_ == ServerEnd::Open ? Broken : BrokenAfterFin);
  server_end_ = ServerEnd::Gone;
  out_.clear();
  pool_->env().runtime.turn.later(*this);
}

void UpstreamConnection::run() {
  if (handler_ == nullptr || state_ == Closed) return;
  const uint32_t request = requests_;
  readable_ = readable_ || write_broken();
  read_response();
  if (!write_broken()) return;
  // Nothing more comes, or half of a tunnel is left that leads nowhere.
  if (leased_as(request) && response_ != ResponseSide::Body) fail_as_reset();
}

// Over TLS it may have said why.
void UpstreamConnection::fail_as_reset() {
  const CloseReason refused = transport_->refused();
  if (refused == CloseReason::None) {
    fail(CloseReason::ServerReset);
  } else {
    const std::string detail(transport_->failure_detail());
    fail(UpstreamClose::of(refused), false, detail);
  }
}

// --- Events (what is read: upstream_response.cc).

void UpstreamConnection::on_ready(net::Ready ready) {
  if (ready.peer_closed && server_end_ == ServerEnd::Open) server_end_ = ServerEnd::Fin;
  switch (state_) {
    case Connecting:
      finish_connect(ready);
      return;
    case Idle:
      if (ready.readable) check_idle();
      return;
    case Busy:
    case Upgraded:
      break;
    case Closed:
      return;
  }
  const uint32_t request = requests_;
  // Reading comes first: a write that fails takes the news of an RST away, and what is left to read
  // looks like a clean end.
  if (ready.readable) {
    readable_ = true;
    ready_at_ = pool_->env().now();
    if (leased_as(request)) read_response();
  }
  if (ready.writable && leased_as(request) && !out_.empty()) flush();
}

void UpstreamConnection::fail(UpstreamClose reason, bool eof, std::string_view detail) {
  UpstreamFailure failure{.reason = reason,
                          .reused = reused(),
                          .sent_nothing = accepted_ == 0,
                          .fin_proved = false,
                          .response_seen = response_ > ResponseSide::Awaited,
                          .detail = detail};
  if (eof && acked_before_ != UINT64_MAX) {
    failure.fin_proved = transport_->bytes_acked() == acked_before_;
  }
  // An app that crashes over a request is no server that had closed an idle connection: that shows
  // at once.
  const bool at_once = pool_->env().now() - leased_at_ < kStaleShowsWithin;
  const bool peer_gone = reason == CloseReason::ServerClosed || reason == CloseReason::ServerReset;
  failure.stale = peer_gone && at_once && failure.reused && !failure.response_seen;
  Waiter* waiter = std::exchange(waiter_, nullptr);
  ResponseHandler* handler = handler_;
  const bool upgraded = state_ == Upgraded;
  close(failure.stale ? UpstreamClose(CloseReason::StaleReuse) : reason);
  if (failure.stale) pool_->on_peer_close(leased_at_ - idle_since_, hinted_timeout_ >= 0, true);
  if (handler != nullptr && !upgraded && !failure.stale) pool_->on_failure(reason, detail);
  if (waiter != nullptr) pool_->deliver_failure(*waiter, ConnectFailure::of(reason));
  if (handler != nullptr) handler->on_upstream_failed(failure);
}

void UpstreamConnection::pause() {
  paused_ = true;
  arm_timer();
}

void UpstreamConnection::resume() {
  if (!paused_) return;
  paused_ = false;
  arm_timer();
  if (readable_) read_response();
}

// --- Between requests.

void UpstreamConnection::give_back(CloseReason why_unfit) {
  handler_ = nullptr;
  paused_ = false;
  event::TurnTask::unlink();
  upgrade_slot_.give_back();
  if (state_ == Closed) return;
  if (response_ == ResponseSide::Done && state_ != Upgraded) pool_->on_answer(status_);
  const std::optional<UpstreamClose> reason =
      why_unfit != CloseReason::None ? UpstreamClose::of(why_unfit) : why_not_reusable();
  if (reason) {
    close(*reason);
    return;
  }
  park();
}

std::optional<UpstreamClose> UpstreamConnection::why_not_reusable() const {
  if (state_ == Upgraded) return UpstreamClose(CloseReason::UpgradeFinished);
  if (awaits_head() || response_ == ResponseSide::Body) {
    return UpstreamClose(CloseReason::ClientGone);
  }
  if (response_ == ResponseSide::Done) {
    if (request_ != Sent || !out_.empty()) return UpstreamClose(CloseReason::UnfinishedRequest);
    if (unfit_ != CloseReason::None) return UpstreamClose::of(unfit_);
  }
  if (server_end_ != ServerEnd::Open) return UpstreamClose(CloseReason::ServerClosedIdle);
  if (const CloseReason limit = why_last_request(); limit != CloseReason::None) {
    return UpstreamClose::of(limit);
  }
  return std::nullopt;
}

// What a final head says: why the connection carries no other request, or None.
CloseReason UpstreamConnection::why_unfit_after(const http::ResponseHead& head,
                                                const http::BodyFraming& framing) const {
  if (framing.kind == http::BodyKind::UntilClose) return CloseReason::ResponseBodyUntilClose;
  if (head.summary.ambiguous_length) return CloseReason::AmbiguousLength;
  if (last_reason_ != CloseReason::None) return last_reason_;
  if (!head.summary.persistent()) {
    return head.summary.minor_version == 0 ? CloseReason::Http10 : CloseReason::CloseRequested;
  }
  if (head.keep_alive_timeout == 0) return CloseReason::LearnedLimit;
  if (head.keep_alive_max == 0) return CloseReason::KeepaliveRequests;
  return CloseReason::None;
}

// Why the connection carries no request after those that it has begun: its limits, and its pool's.
CloseReason UpstreamConnection::why_last_request() const {
  if (pool_->settings().proxy_protocol != config::ProxyProtocol::Off) {
    return CloseReason::ProxyProtocol;
  }
  const config::Pool& limits = pool_->settings().pool;
  if (limits.max_idle == 0) return CloseReason::MaxIdle;
  const uint64_t share = 1024U - jitter_;
  if (requests_ >= std::max<uint64_t>(1, limits.keepalive_requests * share / 1024)) {
    return CloseReason::KeepaliveRequests;
  }
  const Duration age = pool_->env().now() - opened_;
  if (age >= limits.keepalive_time / 1024 * static_cast<int64_t>(share)) {
    return CloseReason::KeepaliveTime;
  }
  const auto unfit = pool_->why_not_keep();
  return unfit ? CloseReason(*unfit) : CloseReason::None;
}

void UpstreamConnection::park() {
  // A lease that was not used does not make it any younger.
  const bool answered = response_ == ResponseSide::Done;
  if (answered || idle_since_ == TimePoint{}) {
    // The server's clock runs since its last byte came, not since a slow client let us read it.
    idle_since_ = answered ? ready_at_ : pool_->env().now();
    set_idle_limit();
  }
  if (answered) {
    set_request(RequestSide::None);
    set_response(ResponseSide::None);
  }
  // The last read filled the buffer: what lies behind it can only be bytes that nobody asked for.
  if (readable_) {
    readable_ = false;
    const net::Probe seen = transport_->probe();
    if (seen != net::Probe::Quiet) {
      if (seen != net::Probe::Data) server_end_ = ServerEnd::Gone;
      close(seen == net::Probe::Data ? UpstreamClose(CloseReason::LeftoverBytes)
                                     : UpstreamClose(CloseReason::ServerClosedIdle));
      return;
    }
  }
  set_state(Idle);
  pool_->env().runtime.timers.arm(timer_, idle_since_ + idle_limit_.limit);
}

void UpstreamConnection::set_idle_limit() {
  idle_limit_ = idle_limit(hinted_timeout_, pool_->settings().pool.keepalive_timeout,
                           pool_->server().learner.closes_after(idle_since_));
  pool_->on_idle_limit(idle_limit_);
}

void UpstreamConnection::check_idle() {
  switch (transport_->probe()) {
    case net::Probe::Quiet:
      return;
    case net::Probe::Data:
      close(UpstreamClose::of(why_it_speaks_first()));
      return;
    case net::Probe::Eof:
      server_end_ = ServerEnd::Fin;
      close(CloseReason::ServerClosedIdle);
      break;
    case net::Probe::Reset:
      server_end_ = ServerEnd::Gone;
      close(transport_->refused() != CloseReason::None
                ? UpstreamClose::of(transport_->refused())
                : UpstreamClose(CloseReason::ServerResetIdle));
      break;
  }
  pool_->on_peer_close(pool_->env().now() - idle_since_, hinted_timeout_ >= 0, requests_ > 0);
}

bool UpstreamConnection::check_fresh() {
  if (state_ != Idle) return false;
  const TimePoint now = pool_->env().now();
  if (now - idle_since_ >= idle_limit_.limit) {
    close(why_idle_for_too_long());
    return false;
  }
  if (pool_->server().idle_dropped(idle_since_)) {
    close(CloseReason::FinBurst);
    return false;
  }
  if (now - idle_since_ >= kProbeAfter) {
    check_idle();
    if (state_ == Closed) pool_->on_stale_avoided();
  }
  return state_ == Idle;
}

UpstreamClose UpstreamConnection::why_idle_for_too_long() const {
  return idle_limit_.source == stats::LearnedSource::Config
             ? UpstreamClose(CloseReason::KeepaliveTimeout)
             : UpstreamClose(CloseReason::LearnedLimit);
}

// At its limit. True if it stays open for a while to show whether the server closes it as learned.
// (It is past its limit, so check_fresh() closes it when anybody looks for an idle one.)
bool UpstreamConnection::test_what_was_learned() {
  if (idle_limit_.source != stats::LearnedSource::Observed || requests_ == 0) return false;
  const TimePoint now = pool_->env().now();
  KeepaliveLearner& learner = pool_->server().learner;
  learner.survived(now - idle_since_);
  const Duration most = pool_->settings().pool.keepalive_timeout.value_or(kDefaultIdleLimit);
  const auto until = learner.begin_test(most, now);
  if (!until || idle_since_ + *until <= now) return false;
  pool_->env().runtime.timers.arm(timer_, idle_since_ + *until);
  return true;
}

bool UpstreamConnection::in_last_quarter() const {
  return pool_->env().now() - idle_since_ > idle_limit_.limit / 4 * 3;
}

void UpstreamConnection::leave_worker() {
  event::TurnTask::unlink();
  pool_->env().runtime.cancel(timer_);
  transport_->detach();
}

void UpstreamConnection::join_worker(ServerPool& pool) {
  pool_ = &pool;
  if (!pool.env().network.attach(*transport_, *this)) {
    // Nobody would hear of the server's end.
    transport_->abort_on_close();
    server_end_ = ServerEnd::Gone;
    close(CloseReason::NoLocalResources);
    return;
  }
  pool.env().runtime.timers.arm(timer_, idle_since_ + idle_limit_.limit);
}

ClosingConnection UpstreamConnection::dismantle(UpstreamClose reason) {
  state_ = Closed;
  return {.transport = std::move(transport_),
          .slot = std::move(slot_),
          .reason = reason,
          .detached = true};
}

// --- Time and the end.

// What its timer runs against now; none: somebody else's timeout watches.
std::optional<Duration> UpstreamConnection::patience(const config::Upstream& limits) const {
  if (state_ == Connecting) return limits.connect_timeout;
  if (state_ == Upgraded) return limits.upgrade_timeout;
  if (out_.empty() && awaits_head()) {
    // Until the request is complete the client's own timeouts watch over it.
    if (!request_given()) return std::nullopt;
    return limits.response_timeout;
  }
  if (out_.empty() && paused_) return std::nullopt;  // the client's send_timeout watches
  return limits.idle_timeout;
}

void UpstreamConnection::arm_timer() {
  if (const auto limit = patience(pool_->settings())) {
    pool_->env().runtime.arm(timer_, *limit);
  } else {
    pool_->env().runtime.cancel(timer_);
  }
}

void UpstreamConnection::on_new_limits(const config::Upstream& before) {
  switch (state_) {
    case Idle:
      if (const auto unfit = why_not_reusable()) {
        close(*unfit);
        return;
      }
      set_idle_limit();
      pool_->env().runtime.timers.arm(timer_, idle_since_ + idle_limit_.limit);
      return;
    case Connecting:
    case Busy:
    case Upgraded:
      if (const auto now = patience(pool_->settings())) {
        pool_->env().runtime.timers.shift(timer_, *now - *patience(before));
      }
      return;
    case Closed:
      return;
  }
}

void UpstreamConnection::on_timer(event::Timer&) {
  switch (state_) {
    case Connecting:
      connect_failed(CloseReason::ConnectTimeout);
      fail(CloseReason::ConnectTimeout);
      return;
    case Idle:
      if (!test_what_was_learned()) close(why_idle_for_too_long());
      return;
    case Busy:
      if (!patience(pool_->settings())) return;  // it was the limit of connecting, or of lying idle
      if (!out_.empty()) {
        fail(CloseReason::RequestStalled);
      } else {
        fail(awaits_head() ? UpstreamClose(CloseReason::ResponseTimeout)
                           : UpstreamClose(CloseReason::ResponseStalled));
      }
      return;
    case Upgraded:
      fail(CloseReason::KeepaliveTimeout);
      return;
    case Closed:
      return;
  }
}

void UpstreamConnection::close(UpstreamClose reason) noexcept {
  if (state_ == Closed) return;
  net::WorkerEnv& env = pool_->env();
  handler_ = nullptr;
  env.runtime.cancel(timer_);
  event::TurnTask::unlink();
  trial_.end();
  upgrade_slot_.give_back();
  if (reason != CloseReason::UpgradeFinished || request_ != TunnelEnded) out_.clear();
  head_bytes_.reset();
  // (A server that breaks the rules of TLS still holds its socket.)
  const bool let_go = server_end_ != ServerEnd::Open && !transport_->peer_broke_rules();
  if (let_go && out_.empty()) transport_.reset();
  const ConnectionState before = state_;
  state_ = Closed;
  pool_->on_closed(*this, before,
                   {.transport = std::move(transport_),
                    .slot = std::move(slot_),
                    .kind = before == Upgraded ? SlotKind::Upgraded : SlotKind::Pool,
                    .reason = reason,
                    .last_words = std::move(out_),
                    .server_done = let_go});
}

}  // namespace berth::upstream
