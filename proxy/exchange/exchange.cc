#include "proxy/exchange/exchange.h"

#include <algorithm>

#include "proxy/exchange/affinity.h"
#include "proxy/exchange/redirect.h"
#include "proxy/exchange/request_id.h"
#include "proxy/net/proxy_header.h"

namespace berth::exchange {

namespace {

// A request's bytes on the way to a connection, gathered for one sendmsg.
class Gather {
 public:
  explicit Gather(upstream::UpstreamConnection& connection) : connection_(connection) {}

  void add(std::string_view part) {
    if (part.empty()) return;
    if (count_ == parts_.size()) flush();
    parts_[count_++] = {const_cast<char*>(part.data()), part.size()};
  }
  // False if the connection is broken.
  bool flush() {
    if (count_ > 0 && ok_) ok_ = connection_.send(parts_.data(), static_cast<int>(count_));
    count_ = 0;
    return ok_;
  }

 private:
  upstream::UpstreamConnection& connection_;
  std::array<iovec, 32> parts_;
  size_t count_ = 0;
  bool ok_ = true;
};

// `last`: the server is asked to close after its response.
void add_head(Gather& out, std::string_view head, bool last) {
  constexpr std::string_view kEnd = "\r\n";
  out.add(last ? head.substr(0, head.size() - kEnd.size()) : head);
  if (last) out.add("Connection: close\r\n\r\n");
}

// More than this unsent to the server: the client waits.
constexpr size_t kUnsentToServer = 64 * 1024;

}  // namespace

Exchange::Exchange(Context& context, ClientStream& stream, const ClientFacts& client)
    : context_(context), stream_(stream), client_(client), router_(context.router) {}

// Counted in its upstream until it is destroyed: what it names lives as long.
Exchange::~Exchange() {
  cancel();
  if (retrying_) target_.cluster->retry_budget().retry_ended();
  if (counted_) target_.cluster->request_ended();
}

// --- The request.

void Exchange::start(const http::RequestHead& head, size_t received_size, std::string_view body,
                     bool complete, std::string_view trailers) {
  method_ = head.method;
  chunked_ = head.summary.chunked;
  upgrade_ = head.summary.upgrade && complete;
  idempotent_ = http::is_idempotent(head.method) ||
                head.fields.find(http::HeaderId::IdempotencyKey) != nullptr;
  body_complete_ = complete;
  trailers_ = trailers;
  const auto target = router_->find(head.host, head.path);
  if (target) target_ = *target;
  if (target && (!complete || head.expect_continue)) body_mode_ = target_.request_body();

  static const config::HeaderRules kNoRules;
  const RequestId fresh_id(context_.env.random);
  request_ = forward_head(head, received_size, client_,
                          {.forwarding = router_->config().forwarding,
                           .headers = target ? target_.route->request_headers : kNoRules,
                           .upstream = target ? std::string_view(target_.route->upstream) : "",
                           .fresh_id = fresh_id.text(),
                           .subject_headers = router_->subject_headers(),
                           .expect = streams()},
                          upgrade_);
  if (client_.https_port != 0) {
    answer(CloseReason::RedirectToHttps, https_location(head, client_.https_port));
    return;
  }
  if (!target) {
    answer(target.error());
    return;
  }
  const config::Upstream& settings = target_.cluster->settings();
  if (wants_affinity(settings)) {
    affinity_ = affinity_of(head, settings, client_, router_->trusted());
    over_tls_ = came_over_tls(head, client_);
  }
  counted_ = true;
  target_.cluster->request_began();
  // Who waits for 100 (Continue) holds nothing meanwhile: he hears it from us, as soon as it is
  // known where his request goes. One that has begun to send needs none (RFC 9110 section 10.1.1).
  if (head.expect_continue && !complete && body.empty() && !streams()) stream_.send_continue();
  if (complete || streams() || request_buffer_full(body.size())) {
    dispatch(body);
  } else {
    buffer_body(body);
  }
}

void Exchange::on_request_body(std::string_view bytes, bool complete, std::string_view trailers) {
  if (response_ == ResponseProgress::Tunnel) {
    stream_body(bytes);
    if (complete) {
      lease_->shutdown_write();
      end_tunnel_side(client_done_);
    }
    return;
  }
  // Answered or given up: the rest of the body is of no use, though the client may still send it.
  if (response_ == ResponseProgress::Complete) return;
  body_complete_ = body_complete_ || complete;
  trailers_ = trailers;
  switch (progress_) {
    case RequestProgress::Receiving:
      if (complete || request_buffer_full(body_.size() + bytes.size())) {
        dispatch(bytes);
      } else {
        buffer_body(bytes);
      }
      return;
    case RequestProgress::Waiting:
      buffer_body(bytes);
      return;
    case RequestProgress::Streaming:
      if (lease_) stream_body(bytes);
      return;
    case RequestProgress::Sent:
      return;
  }
}

void Exchange::buffer_body(std::string_view bytes) {
  if (context_.env.scratch.contains(bytes.data()) && bytes.size() >= net::Scratch::kSize / 4) {
    body_.push(context_.env.scratch.take(bytes));
  } else {
    body_.append(bytes);
  }
  if (!body_complete_ && progress_ == RequestProgress::Waiting && !client_paused_ &&
      request_buffer_full(body_.size())) {
    client_paused_ = true;
    stream_.pause_request_body();
  }
}

// So much of the body has come that no more of it is collected, or memory is short.
bool Exchange::request_buffer_full(size_t size) const {
  return size >= target_.cluster->settings().request_buffer || memory_is_short();
}

bool Exchange::memory_is_short() const {
  return net::buffered_memory() > router_->config().memory_budget;
}

void Exchange::dispatch(std::string_view body) {
  progress_ = RequestProgress::Waiting;
  acquire(body);
}

// `body`: what has come of it and is not in body_ yet; a view into the worker's scratch.
void Exchange::acquire(std::string_view body) {
  upstream::Cluster& cluster = *target_.cluster;
  asked_at_ = context_.env.now();
  for (;;) {
    upstream::Cluster::Wanted wanted{.tried = tried_, .affinity = affinity_};
    if (met_stale_) {
      wanted.freshness = upstream::Freshness::New;
    } else if (!idempotent_) {
      wanted.freshness = upstream::Freshness::Young;
    }
    upstream::Cluster::Outcome outcome = cluster.acquire(*this, wanted);
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
      answer(tried_some ? failure_ : outcome.refused);
      return;
    }
    failure_ = outcome.refused;
    if (!retry(stats::RetryCause::ConnectFailed, outcome.server)) {
      answer(outcome.refused);
      return;
    }
  }
}

void Exchange::on_lease(upstream::Lease lease, stats::AcquireSource source) {
  begin_on(std::move(lease), source, {});
}

void Exchange::on_no_lease(CloseReason reason, const upstream::SharedServer* server) {
  failure_ = reason;
  if (server != nullptr && retry(stats::RetryCause::ConnectFailed, server)) {
    acquire({});
    return;
  }
  answer(reason);
}

void Exchange::begin_on(upstream::Lease lease, stats::AcquireSource source, std::string_view body) {
  lease_ = std::move(lease);
  source_ = source;
  server_ = &lease_->pool().server();
  leased_at_ = context_.env.now();
  ++attempts_;
  const bool prove_fin = !idempotent_ && target_.cluster->settings().retry.non_idempotent ==
                                             config::RetryNonIdempotent::FinProved;
  if (!lease_->begin({.method = method_, .upgrade = upgrade_, .prove_fin = prove_fin}, *this)) {
    answer(CloseReason::UpgradeLimit);
    return;
  }
  reused_ = lease_->reused();
  if (!send_request(body)) return;  // the failure is reported at the end of the turn
  if (client_paused_ && !body_complete_) {
    client_paused_ = false;
    stream_.resume_request_body();
  }
}

bool Exchange::keeps_body() const {
  return idempotent_ ||
         target_.cluster->settings().retry.non_idempotent == config::RetryNonIdempotent::FinProved;
}

bool Exchange::send_request(std::string_view body) {
  if (!body.empty() && keeps_body()) {
    buffer_body(body);
    body = {};
  }
  Gather out(*lease_.operator->());
  add_head(out, request_.head(), lease_->last_request());
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
    body_.append(body);  // nothing of it was taken: it can still go another way
    return false;
  }
  if (!keeps_body()) {
    body_kept_ = size == 0;
    body_.clear();
  }
  if (body_complete_) {
    sent_at_ = context_.env.now();
    lease_->request_complete();
  }
  return true;
}

void Exchange::stream_body(std::string_view bytes) {
  if (response_ != ResponseProgress::Tunnel) {
    body_kept_ = false;
    body_.clear();
  }
  Gather out(*lease_.operator->());
  const bool last = body_complete_ && response_ != ResponseProgress::Tunnel;
  const bool framed = chunked_ && response_ != ResponseProgress::Tunnel;
  char size_line[24];
  if (framed && !bytes.empty()) {
    out.add({size_line, http::write_chunk_size(size_line, bytes.size())});
  }
  out.add(bytes);
  if (framed && !bytes.empty()) out.add("\r\n");
  if (framed && last) {
    out.add("0\r\n");
    out.add(trailers_);
    out.add("\r\n");
  }
  if (!out.flush()) return;
  if (last) {
    progress_ = RequestProgress::Sent;
    sent_at_ = context_.env.now();
    lease_->request_complete();
  } else if (lease_->unsent() > kUnsentToServer && !client_paused_) {
    client_paused_ = true;
    stream_.pause_request_body();
  }
}

void Exchange::on_request_drained() {
  if (client_done_ && server_done_) {
    finish_response();  // the last of a tunnel
    return;
  }
  if (!client_paused_) return;
  client_paused_ = false;
  stream_.resume_request_body();
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
  lease_.forget();
  if (response_started()) {
    set_failure(failure.reason);
    const bool tunnel = response_ == ResponseProgress::Tunnel;
    response_ = ResponseProgress::Complete;
    stream_.abort(tunnel ? CloseReason::UpgradeFinished : CloseReason::ResponseAborted);
    return;
  }
  failure_ = failure.reason;
  // A server that fails a second time is going down: the next attempt goes to another one.
  if (server_ == failed_on_ && some_server_left(server_)) tried_.add(server_);
  failed_on_ = server_;
  const auto cause = may_replay(failure, replayable());
  const bool again = cause.has_value() && retry(*cause, nullptr);
  if (failure.stale) {
    const auto outcome = again ? stats::StaleOutcome::Replayed : stats::StaleOutcome::Failed;
    server.stale_reuse[static_cast<size_t>(outcome)].add();
    met_stale_ = true;
  }
  if (!again) {
    answer(failure.reason);
    return;
  }
  progress_ = RequestProgress::Waiting;
  acquire({});
}

// A server that has not been tried, other than `but`.
bool Exchange::some_server_left(const upstream::SharedServer* but) const {
  const auto& servers = target_.cluster->servers();
  return std::any_of(servers.begin(), servers.end(), [&](auto* pool) {
    return &pool->server() != but && !tried_.contains(&pool->server());
  });
}

// Whether another attempt is allowed; counts it if so. `unreachable`: a server that is not to be
// tried again.
bool Exchange::retry(stats::RetryCause cause, const upstream::SharedServer* unreachable) {
  upstream::Cluster& cluster = *target_.cluster;
  if (unreachable != nullptr) {
    tried_.add(unreachable);
    ++attempts_;
    server_ = unreachable;
  }
  if (attempts_ >= cluster.settings().retry.attempts) return false;
  if (!some_server_left(nullptr)) return false;
  stats::ServerStats* stats = nullptr;
  for (upstream::ServerPool* pool : cluster.servers()) {
    if (&pool->server() == server_) stats = &pool->stats();
  }
  // No server has had anything of a request that was not sent: another attempt adds to nobody's
  // work.
  const bool costs =
      cause == stats::RetryCause::Idempotent || cause == stats::RetryCause::FinProved;
  if (costs && !retrying_) {
    if (!cluster.retry_budget().try_retry(cluster.settings().retry)) {
      if (stats != nullptr) stats->retry_budget_exhausted.add();
      return false;
    }
    retrying_ = true;
  }
  if (stats != nullptr) stats->retries[static_cast<size_t>(cause)].add();
  return true;
}

void Exchange::answer(CloseReason reason, std::string_view location) {
  failure_ = reason;
  client_.stats.requests_refused[static_cast<size_t>(reason)].add();
  response_ = ResponseProgress::Complete;
  lease_.give_back(CloseReason::None);
  const uint16_t status = info(reason).status;
  stream_.send_local({.status = status != 0 ? status : uint16_t{502},
                      .reason = reason,
                      .request_id = request_.request_id,
                      .location = location});
  stream_.response_complete();
}

std::string Exchange::proxy_header(config::ProxyProtocol version) const {
  return net::write_proxy_header(version, client_.peer, stream_.local_address().unmapped());
}

void Exchange::cancel() {
  response_ = ResponseProgress::Complete;
  give_up();
  lease_.give_back(CloseReason::None);
}

void Exchange::describe(AccessRecord& record) const {
  record.method = request_.method;
  record.host = request_.host;
  record.target = request_.target;
  record.user_agent = request_.user_agent;
  record.referer = request_.referer;
  record.request_id = request_.request_id;
  record.reason = failure_;
  if (target_.route == nullptr) return;
  record.upstream = target_.route->upstream;
  record.attempts = attempts_;
  record.source = source_;
  record.reused = reused_;
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
