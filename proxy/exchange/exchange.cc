#include "proxy/exchange/exchange.h"

#include <algorithm>

#include "proxy/exchange/affinity.h"
#include "proxy/exchange/client_address.h"
#include "proxy/exchange/gather.h"
#include "proxy/exchange/redirect.h"
#include "proxy/exchange/request_id.h"
#include "proxy/exchange/via.h"
#include "proxy/http/literal.h"
#include "proxy/net/proxy_header.h"
#include "proxy/net/websocket_accept.h"

namespace berth::exchange {

namespace {

std::unique_ptr<http::UpgradeOffer> make_offer(const http::RequestHead& head) {
  auto offer = std::make_unique<http::UpgradeOffer>();
  if (const auto* protocol = head.fields.find(http::HeaderId::Upgrade)) {
    offer->protocol = protocol->value;
  }
  if (http::equals_nocase<"websocket">(offer->protocol)) {
    if (const auto* key = head.fields.find("Sec-WebSocket-Key")) {
      offer->accept = net::websocket_accept(key->value);
    }
  }
  return offer;
}

}  // namespace

Exchange::Exchange(Context& context, ClientStream& stream, const ClientFacts& client)
    : context_(context),
      stream_(stream),
      client_(client),
      router_(context.router),
      body_(client.memory),
      feeder_(*this) {}

// Counted in its upstream until it is destroyed: what it names lives as long.
Exchange::~Exchange() {
  cancel();
  if (budget_share_ == BudgetShare::None) return;
  if (budget_share_ == BudgetShare::Retry) target_.cluster->retry_budget().retry_ended();
  target_.cluster->request_ended();
}

// --- The request.

void Exchange::start(const http::RequestHead& head, size_t received_size, std::string_view body,
                     bool complete, std::string_view trailers) {
  method_ = head.method;
  chunked_ = head.summary.chunked;
  if (head.summary.upgrade && complete) upgrade_ = make_offer(head);
  idempotent_ = http::is_idempotent(head.method) ||
                head.fields.find(http::HeaderId::IdempotencyKey) != nullptr;
  if (!idempotent_) freshness_ = upstream::Freshness::Young;
  body_complete_ = complete;
  received_ = body.size();
  const auto target = router_->find(head.host, head.path);
  if (target) target_ = *target;
  if (target && (!complete || head.expect_continue)) body_mode_ = target_.request_body();
  if (complete && !trailers.empty()) take_trailers(trailers);
  make_head(head, received_size);
  if (must_go_to_https(head)) return;
  if (!target) {
    answer(target.error());
    return;
  }
  if (client_.memory_short) {
    answer(CloseReason::MemoryShort);
    return;
  }
  const bool may_have_passed = head.summary.has_via && router_->config().forwarding.via;
  if (may_have_passed && has_passed(head, context_.instance)) {
    answer(CloseReason::LoopDetected);
    return;
  }
  const config::Upstream& settings = target_.cluster->settings();
  if (wants_affinity(settings)) {
    affinity_ = affinity_of(head, settings, client_, router_->trusted());
    over_tls_ = came_over_tls(head, client_);
  }
  budget_share_ = BudgetShare::Request;
  target_.cluster->request_began();
  if (complete) {
    dispatch(body);
  } else {
    begin_body(head, body);
  }
}

// What a server is sent. Of a request that goes nowhere it is for the log alone.
void Exchange::make_head(const http::RequestHead& head, size_t received_size) {
  static const config::HeaderRules kNoRules;
  const bool has_route = target_.route != nullptr;
  const RequestId fresh_id(context_.env.random);
  net::Address behind;
  if (client_.trusted && context_.access_log != nullptr) {
    behind = client_address(head, client_, router_->trusted());
  }
  const bool has_ip =
      behind.kind() == net::AddressKind::V4 || behind.kind() == net::AddressKind::V6;
  const bool behind_proxy = has_ip && !(behind == client_.peer);
  request_ = forward_head(head, received_size, client_,
                          {.forwarding = router_->config().forwarding,
                           .headers = has_route ? target_.route->request_headers : kNoRules,
                           .upstream = has_route ? std::string_view(target_.route->upstream) : "",
                           .fresh_id = fresh_id.text(),
                           .instance = context_.instance,
                           .filter = filter(),
                           .client = behind_proxy ? &behind : nullptr,
                           .expect = streams()},
                          upgrade_ != nullptr);
}

// Answers a request that has to come back over TLS. True if it was one.
bool Exchange::must_go_to_https(const http::RequestHead& head) {
  if (client_.https_port == 0) return false;
  if (head.host.empty()) {  // HTTP/1.0 without Host: Berth does not know where to redirect to
    answer(CloseReason::BadHost);
  } else {
    answer(CloseReason::RedirectToHttps, https_location(head, client_.https_port));
  }
  return true;
}

void Exchange::dispatch(std::string_view body) {
  progress_ = RequestProgress::Waiting;
  acquire(body);
}

// `body`: what has come of it and is not in body_ yet; a view into the worker's scratch.
void Exchange::acquire(std::string_view body) {
  upstream::Cluster& cluster = *target_.cluster;
  if (!has_waited()) asked_at_ = context_.env.now();
  for (;;) {
    upstream::Cluster::Outcome outcome =
        cluster.acquire(*this, {.tried = tried_,
                                .freshness = freshness_,
                                .affinity = affinity_,
                                .must_wait = attempts_ >= most_attempts()});
    if (outcome.lease) {
      begin_on(std::move(outcome.lease), outcome.source, body);
      return;
    }
    if (outcome.refused == CloseReason::None) {
      buffer_body(body);
      return;
    }
    if (outcome.server == nullptr) {
      // Out of servers: what the last of them said tells more than that there is none left.
      const bool tried_some =
          outcome.refused == CloseReason::NoServer && failure_ != CloseReason::None;
      answer(Refusal::of(tried_some ? failure_ : outcome.refused));
      return;
    }
    if (!retry_unsent(ConnectFailure::of(outcome.refused), *outcome.server)) {
      answer(Refusal::of(outcome.refused));
      return;
    }
  }
}

void Exchange::on_lease(upstream::Lease lease, stats::AcquireSource source) {
  begin_on(std::move(lease), source, {});
}

void Exchange::on_no_lease(Refusal reason, const upstream::SharedServer* server) {
  if (server != nullptr && retry_unsent(ConnectFailure::of(reason), *server)) {
    acquire({});
    return;
  }
  answer(reason);
}

// No connection could be made for it.
bool Exchange::retry_unsent(ConnectFailure reason, const upstream::SharedServer& server) {
  failure_ = reason;
  ++attempts_;
  server_ = &server;
  const bool waits = target_.cluster->waits_after(reason);
  // A server that will be back is not ruled out: that it is away is known, and enough.
  if (!waits) tried_.add(&server);
  return retry(stats::RetryCause::ConnectFailed, waits);
}

void Exchange::begin_on(upstream::Lease lease, stats::AcquireSource source, std::string_view body) {
  lease_ = std::move(lease);
  source_ = source;
  server_ = &lease_->pool().server();
  leased_at_ = context_.env.now();
  // While it waited, what it waits beside has filled up.
  if (source != stats::AcquireSource::Idle && stream_.memory_refused()) {
    answer(CloseReason::MemoryShort);
    return;
  }
  ++attempts_;
  const bool prove_fin = !idempotent_ && target_.cluster->settings().retry.non_idempotent ==
                                             config::RetryNonIdempotent::FinProved;
  if (!lease_->begin({.method = method_, .upgrade = upgrade_.get(), .prove_fin = prove_fin},
                     *this)) {
    answer(CloseReason::UpgradeLimit);
    return;
  }
  reused_ = lease_->reused();
  // Who waited in the queue has been counted when it left it.
  if (source == stats::AcquireSource::Idle || source == stats::AcquireSource::New) {
    target_.cluster->stats().wait.observe(0);
  }
  if (context_.access_log != nullptr) {
    server_connection_ = lease_->id();
    server_connection_requests_ = lease_->requests();
    server_tls_ = lease_->tls_terms();
  }
  if (!send_request(body)) return;  // the failure is reported at the end of the turn
  if (body_complete_) return;
  context_.holders.watch(*this);
  if (!feeding()) resume_client();
}

bool Exchange::keeps_body() const {
  return idempotent_ ||
         target_.cluster->settings().retry.non_idempotent == config::RetryNonIdempotent::FinProved;
}

bool Exchange::send_request(std::string_view body) {
  if (body_.in_file()) {
    BERTH_DCHECK(body.empty());
    progress_ = RequestProgress::Streaming;
    body_.rewind();
    feed(request_.head());
    return static_cast<bool>(lease_);
  }
  if (!body.empty() && keeps_body()) {
    buffer_body(body);
    body = {};
  }
  Gather out(*lease_.operator->());
  out.add_head(request_.head(), lease_->last_request());
  char size_line[24];
  const size_t size = body_.size() + body.size();
  if (chunked_ && size > 0) out.add({size_line, http::write_chunk_size(size_line, size)});
  body_.for_each_part([&](std::string_view part) {
    out.add(part);
    return true;
  });
  out.add(body);
  if (chunked_) {
    if (size > 0) out.add("\r\n");
    if (body_complete_) {
      out.add("0\r\n");
      out.add(trailers_);
      out.add("\r\n");
    }
  }
  progress_ = body_complete_ ? RequestProgress::Sent : RequestProgress::Streaming;
  if (!out.flush()) {
    body_.keep(body, context_.env.scratch);  // nothing of it was taken: it can still go another way
    return false;
  }
  if (!keeps_body()) {
    body_kept_ = size == 0;
    body_.clear();
  }
  if (body_complete_) request_sent();
  return true;
}

// --- When things go wrong.

Replayable Exchange::replayable() const {
  return {.idempotent = idempotent_,
          .body_kept = body_kept_,
          .allow_fin_proved = target_.cluster->settings().retry.non_idempotent ==
                              config::RetryNonIdempotent::FinProved};
}

void Exchange::on_upstream_failed(const upstream::UpstreamFailure& failure) {
  stats::ServerStats& server = lease_->pool().stats();
  const bool left =
      failure.reason == CloseReason::ServerClosed || failure.reason == CloseReason::ServerReset;
  lease_.forget();
  detail_ = failure.detail;
  if (response_started()) {
    set_failure(failure.reason);
    upload_slot_.give_back();
    const bool tunnel = response_ == ResponseProgress::Tunnel;
    if (left && !tunnel) server.aborts[stats::AbortedBy::Server].add();
    response_ = ResponseProgress::Complete;
    stream_.abort(tunnel ? CloseReason::UpgradeFinished : CloseReason::ResponseAborted);
    return;
  }
  failure_ = failure.reason;
  // A server that fails a second time is going down: the next attempt goes to another one.
  if (server_ == failed_on_ && some_server_left(server_)) tried_.add(server_);
  failed_on_ = server_;
  const auto cause = may_replay(failure, replayable());
  if (!failure.sent_nothing) wait_anew();
  const bool waits = failure.sent_nothing && target_.cluster->waits_after(failure.reason);
  const bool again = !kills_servers(failure) && cause.has_value() && retry(*cause, waits);
  if (failure.stale) {
    const auto outcome = again ? stats::StaleOutcome::Replayed : stats::StaleOutcome::Failed;
    server.stale_reuse[outcome].add();
    freshness_ = upstream::Freshness::New;
  }
  if (!again) {
    if (left) server.aborts[stats::AbortedBy::Server].add();
    answer(Refusal::of(failure.reason));
    return;
  }
  progress_ = RequestProgress::Waiting;
  acquire({});
}

// Whether the request seems to be what servers die of: a second one has ended over it. A third is
// not put at risk.
bool Exchange::kills_servers(const upstream::UpstreamFailure& failure) {
  const bool gone =
      failure.reason == CloseReason::ServerClosed || failure.reason == CloseReason::ServerReset;
  if (!gone || failure.stale || failure.sent_nothing) return false;
  if (died_of_it_ == nullptr) died_of_it_ = server_;
  return died_of_it_ != server_;
}

// A server that has not been tried, other than `but`.
bool Exchange::some_server_left(const upstream::SharedServer* but) const {
  const auto& servers = target_.cluster->servers();
  return std::any_of(servers.begin(), servers.end(), [&](auto* pool) {
    return &pool->server() != but && !tried_.contains(&pool->server());
  });
}

uint32_t Exchange::most_attempts() const {
  return target_.cluster->settings().retry.attempts;
}

// Whether another attempt is allowed; counts it if so. `waits`: it may wait for a server, and has
// nothing to lose by that; otherwise attempts are limited.
bool Exchange::retry(stats::RetryCause cause, bool waits) {
  upstream::Cluster& cluster = *target_.cluster;
  if (!waits && attempts_ >= most_attempts()) return false;
  if (!some_server_left(nullptr)) return false;
  stats::ServerStats* stats = nullptr;
  for (upstream::ServerPool* pool : cluster.servers()) {
    if (&pool->server() == server_) stats = &pool->stats();
  }
  // No server has had anything of a request that was not sent: another attempt adds to nobody's
  // work.
  const bool costs =
      cause == stats::RetryCause::Idempotent || cause == stats::RetryCause::FinProved;
  if (costs && budget_share_ != BudgetShare::Retry) {
    if (!cluster.retry_budget().try_retry(cluster.settings().retry)) {
      if (stats != nullptr) stats->retry_budget_exhausted.add();
      return false;
    }
    budget_share_ = BudgetShare::Retry;
  }
  if (stats != nullptr) stats->retries[cause].add();
  if (failed_attempts_.size() < kMostFailedAttempts) {
    failed_attempts_.push_back({server_->name(), failure_});
  }
  return true;
}

void Exchange::answer(Refusal reason, std::string_view location) {
  failure_ = reason;
  client_.stats.requests_refused[reason].add();
  response_ = ResponseProgress::Complete;
  upload_slot_.give_back();
  lease_.give_back(CloseReason::None);
  body_.clear();
  stream_.send_local(
      {.reason = reason,
       .request_id = request_.request_id,
       .location = location,
       .detail = detail_,
       .rules = target_.route != nullptr ? &target_.route->response_headers : nullptr});
  stream_.response_complete();
}

std::string Exchange::proxy_header(config::ProxyProtocol version) const {
  return net::write_proxy_header(version, client_.peer, stream_.local_address().unmapped());
}

void Exchange::cancel() {
  const bool aborted =
      lease_ && response_ != ResponseProgress::Complete && response_ != ResponseProgress::Tunnel;
  if (aborted) lease_->pool().stats().aborts[stats::AbortedBy::Client].add();
  response_ = ResponseProgress::Complete;
  give_up();
  upload_slot_.give_back();
  lease_.give_back(CloseReason::None);
  body_.clear();
}

bool Exchange::keeps_others_waiting() const {
  return holds_connection() && target_.cluster->shared()->queue.waiting() > 0;
}

void Exchange::describe(AccessRecord& record) const {
  record.method = request_.method;
  record.host = request_.host;
  record.target = request_.target;
  record.user_agent = request_.user_agent;
  record.referer = request_.referer;
  record.request_id = request_.request_id;
  if (!request_.client_ip.empty()) {
    record.peer = record.client;
    record.client = request_.client_ip;
  }
  record.reason = failure_;
  record.request_body_bytes = received_;
  record.detail = detail_;
  if (target_.route == nullptr) return;
  record.upstream = target_.route->upstream;
  record.attempts = attempts_;
  record.source = source_;
  record.reused = reused_;
  record.failed_attempts = failed_attempts_;
  record.server_connection = server_connection_;
  record.server_connection_requests = server_connection_requests_;
  record.server_tls = server_tls_;
  if (server_ != nullptr) record.server = server_->name();
  if (!source_) return;
  const Duration wait = leased_at_ - asked_at_;
  if (*source_ == stats::AcquireSource::New) {
    record.connect_time = wait;
  } else if (*source_ != stats::AcquireSource::Idle) {
    record.queue_wait = wait;
  }
  if (answered_at_ != TimePoint{}) {
    record.header_time = answered_at_ - (sent_at_ != TimePoint{} ? sent_at_ : answered_at_);
  }
}

}  // namespace berth::exchange
