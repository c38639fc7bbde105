#include "proxy/upstream/health_check.h"

#include <algorithm>

#include "proxy/http/head.h"
#include "proxy/http/http2_settings.h"
#include "proxy/http/malformed.h"
#include "proxy/net/connect_error.h"
#include "proxy/net/proxy_header.h"

namespace berth::upstream {

namespace {

// The first checks of many servers do not all come at once.
constexpr Duration kFirstWithin = std::chrono::milliseconds(500);

std::string request_for(const config::HealthCheck& check, const SharedServer& server) {
  std::string host = check.host;
  if (host == config::kOwnAddress) {
    host = server.address.kind() == net::AddressKind::Unix ? "localhost" : server.configured;
  }
  return "GET " + check.path + " HTTP/1.1\r\nHost: " + host +
         "\r\nUser-Agent: berth-health\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

}  // namespace

HealthCheck::HealthCheck(net::WorkerEnv& env, std::shared_ptr<SharedServer> server,
                         Settings settings, std::shared_ptr<stats::ServerStats> stats,
                         HealthObserver& observer)
    : env_(env),
      server_(std::move(server)),
      settings_(std::move(settings)),
      stats_(std::move(stats)),
      observer_(observer),
      draining_(env_, *stats_, *this),
      timer_(*this) {
  const Duration within = std::min(kFirstWithin, limits().interval);
  env_.runtime.arm(
      timer_,
      Duration(static_cast<int64_t>(env_.random.below(static_cast<uint64_t>(within.count()) + 1))));
}

HealthCheck::~HealthCheck() {
  stop();
}

void HealthCheck::stop() {
  if (stopped_) return;
  stopped_ = true;
  if (state_ != State::Resting) hang_up(CloseReason::Shutdown);
  env_.runtime.cancel(timer_);
  server_->states.clear(Availability::Unhealthy);
}

void HealthCheck::skip() {
  stats_->health_checks[stats::HealthResult::Skipped].add();
  rest();
}

void HealthCheck::begin() {
  if (!draining_.empty()) {
    // A server that has not even taken note of the end of a check that failed has failed again.
    if (last_failed_) {
      conclude(false, "it has not let go of the last check's connection");
    } else {
      skip();
    }
    return;
  }
  slot_ = server_->slots.try_take();
  if (!slot_) {
    skip();
    return;
  }
  state_ = State::Connecting;
  stats_->connections_opened.add();
  stats_->connections[stats::UpstreamState::Active].add();
  env_.runtime.arm(timer_, limits().timeout);
  // The connection is Berth's own: its PROXY header names nobody.
  const net::ConnectOptions options{
      .keepalive = settings_->tcp_keepalive,
      .tls = server_->tls.get(),
      .first_bytes = net::write_proxy_header(settings_->proxy_protocol, {}, {}),
      .other = server_->other.get()};
  auto transport = env_.network.connect(server_->address, options, *this);
  if (!transport) {
    finish(false, transport.error(), info(transport.error()).text);
    return;
  }
  transport_ = std::move(*transport);
}

void HealthCheck::on_ready(net::Ready ready) {
  if (state_ == State::Connecting) finish_connect();
  if (state_ != State::Talking) return;
  if (ready.writable && sent_ < request_.size()) flush();
  if (ready.readable && state_ == State::Talking) read_answer();
}

void HealthCheck::finish_connect() {
  const auto result = transport_->finish_connect();
  if (result.status == net::IoStatus::Again) return;
  if (result.status == net::IoStatus::Reset) {
    const std::string_view detail = transport_->failure_detail();
    std::string why(info(result.reason).text);
    if (!detail.empty()) why.append(": ").append(detail);
    finish(false, result.reason, why);
    return;
  }
  state_ = State::Talking;
  env_.runtime.arm(timer_, limits().timeout);
  if (server_->connect_succeeded(env_.now())) observer_.on_room(server_);
  request_ = request_for(limits(), *server_);
  sent_ = 0;
  answer_.clear();
  progress_.reset();
  interims_ = 0;
  flush();
}

void HealthCheck::flush() {
  iovec part{request_.data() + sent_, request_.size() - sent_};
  const net::IoResult sent = transport_->write(&part, 1);
  // A reset shows when the answer is read, behind what the server had said before.
  if (sent.status == net::IoStatus::Ok) sent_ += sent.bytes;
}

void HealthCheck::read_answer() {
  char chunk[4096];
  for (;;) {
    const net::IoResult got = transport_->read(chunk, sizeof chunk);
    switch (got.status) {
      case net::IoStatus::Again:
        return;
      case net::IoStatus::Eof:
        finish(false, CloseReason::ServerClosed, "it closed the connection without an answer");
        return;
      case net::IoStatus::Reset:
        if (const CloseReason refused = transport_->refused(); refused != CloseReason::None) {
          finish(false, refused, std::string(info(refused).text));
        } else {
          finish(false, CloseReason::ServerReset, "it reset the connection without an answer");
        }
        return;
      case net::IoStatus::Ok:
        break;
    }
    answer_.append(chunk, got.bytes);
    if (understand()) return;
  }
}

// True when the check is over.
bool HealthCheck::understand() {
  http::ResponseHead head;
  const http::HeadLimits limit{.max_head = settings_->max_response_head,
                               .max_target = 0,
                               .max_fields = settings_->max_fields};
  for (;;) {
    const auto outcome = http::HeadParser::parse(answer_, limit, progress_, head);
    if (outcome.status == http::ParseStatus::Incomplete) return false;
    if (outcome.status == http::ParseStatus::Refused && http::begins_with_settings(answer_)) {
      finish(false, CloseReason::ServerSpeaksHttp2, info(CloseReason::ServerSpeaksHttp2).text);
      return true;
    }
    if (outcome.status == http::ParseStatus::Refused) {
      finish(false, outcome.refusal,
             std::string(info(outcome.refusal).text) + ": " +
                 http::describe_refusal(answer_, outcome));
      return true;
    }
    if (head.status >= 200 || head.status == 101) break;
    if (++interims_ > http::kMaxInterims) {
      finish(false, CloseReason::BadResponse, info(CloseReason::BadResponse).text);
      return true;
    }
    answer_.erase(0, outcome.head_size);
  }
  finish(config::status_in(limits().status, head.status), CloseReason::None,
         "status " + std::to_string(head.status));
  return true;
}

void HealthCheck::on_timer(event::Timer&) {
  switch (state_) {
    case State::Resting:
      begin();
      return;
    case State::Connecting:
      finish(false, CloseReason::ConnectTimeout, "no connection in time");
      return;
    case State::Talking:
      finish(false, CloseReason::ResponseTimeout, "no answer in time");
      return;
  }
}

void HealthCheck::finish(bool passed, CloseReason reason, std::string_view why) {
  if (state_ == State::Connecting) stats_->connect_failures[reason].add();
  const bool gone = net::never_connected(reason) || reason == CloseReason::ServerClosed ||
                    reason == CloseReason::ServerReset;
  hang_up(reason == CloseReason::None ? UpstreamClose(CloseReason::HealthCheck)
                                      : UpstreamClose::of(reason),
          gone);
  // Out of file descriptors: that says nothing about the server.
  if (reason == CloseReason::NoLocalResources) {
    skip();
  } else {
    conclude(passed, why);
  }
}

void HealthCheck::conclude(bool passed, std::string_view why) {
  last_failed_ = !passed;
  const auto result = passed ? stats::HealthResult::Passed : stats::HealthResult::Failed;
  stats_->health_checks[result].add();
  rest();
  if (!record_.note(passed, limits())) return;
  if (passed) {
    server_->came_up(env_.now());
    server_->states.clear(Availability::Unhealthy);
  } else {
    server_->states.set(Availability::Unhealthy);
  }
  observer_.on_health(server_, passed, why);
}

// `server_gone`: there is nothing that the server could still hold.
void HealthCheck::hang_up(UpstreamClose reason, bool server_gone) {
  state_ = State::Resting;
  stats_->connections[stats::UpstreamState::Active].sub();
  if (server_gone) transport_.reset();
  ClosingConnection closing{
      .transport = std::move(transport_), .slot = std::move(slot_), .reason = reason};
  if (closing.transport != nullptr) {
    draining_.drain(std::move(closing), settings_->pool.close_timeout);
  } else {
    draining_.settle(std::move(closing));
  }
}

void HealthCheck::on_let_go(CloseReason) {
  if (server_->cluster->queue.waiting() > 0) observer_.on_room(server_);
}

void HealthCheck::rest() {
  // Up to 10 % less: checks of many servers, and of many proxies, drift apart.
  const Duration tenth = limits().interval / 10;
  const Duration less(
      static_cast<int64_t>(env_.random.below(static_cast<uint64_t>(tenth.count()) + 1)));
  env_.runtime.arm(timer_, limits().interval - less);
}

}  // namespace berth::upstream
