#include "proxy/client/http2_request.h"

#include <algorithm>

#include "proxy/client/client_listener.h"
#include "proxy/client/http2_connection.h"
#include "proxy/client/local_answer.h"
#include "proxy/client/request_record.h"
#include "proxy/exchange/request_head.h"
#include "proxy/http/literal.h"

namespace berth::client {

namespace {

using http::Http2Error;
using http::Http2Fields;

// More than this unsent: it is not left for the end of the turn.
constexpr size_t kMuch = http::Http2Session::kEnough;

// Filled and used up within one call.
Http2Fields& shared_fields() {
  static thread_local Http2Fields fields;
  fields.clear();
  return fields;
}

// How long a client that is still sending its request has for reading the response, before it is
// told that nothing more of the request is wanted.
constexpr Duration kRestUnwantedAfter = std::chrono::milliseconds(500);

Http2Fields& end_to_end_fields(const http::HeaderList& list) {
  Http2Fields& fields = shared_fields();
  for (const http::HeaderField& field : list) {
    if (!field.hop_by_hop) fields.push_back({field.name, field.value});
  }
  return fields;
}

}  // namespace

Http2Request::Http2Request(Http2Connection& connection)
    : http::Http2Stream(&connection),
      connection_(connection),
      exchange_(connection.listener().context(), *this, connection.facts()),
      timer_(*this),
      early_(&connection),
      began_(connection.listener().env().now()),
      began_wall_us_(connection.listener().env().runtime.time.wall_micros()),
      number_(connection.requests()) {
  connection_.listener().stats().streams.add(1);
}

Http2Request::~Http2Request() = default;

// --- What the client sends.

void Http2Request::on_request(const http::RequestHead& head, size_t size, bool complete) {
  method_ = head.method;
  received_ = size;
  expects_continue_ = head.expect_continue;
  asks_for_tunnel_ = head.summary.upgrade;
  client_done_ = complete;
  const config::Listener& settings = connection_.listener().settings();
  if (settings.max_body != 0 && head.summary.has_length() &&
      head.summary.content_length > settings.max_body) {
    refuse_content(CloseReason::BodyTooLarge);
    return;
  }
  if (complete || asks_for_tunnel_) state_ = State::Served;
  if (state_ == State::Receiving) expect_content();
  exchange_.start(head, size, {}, state_ == State::Served, {});
}

void Http2Request::on_refused(Refusal reason, http::Method method, size_t size) {
  method_ = method;
  received_ = size;
  refuse_content(reason);
}

void Http2Request::on_content(std::string_view bytes) {
  connection_.moved(bytes.size());
  received_ += bytes.size();
  content_received_ += bytes.size();
  const config::Listener& settings = connection_.listener().settings();
  receiving_.moved(connection_.listener().env().now(), bytes.size(),
                   {.patience = settings.body_timeout,
                    .rate = exchange_.holds_connection() ? settings.min_body_rate : 0});
  const uint64_t most = settings.max_body;
  if (state_ == State::Receiving && most != 0 && content_received_ > most) {
    take_content(bytes.size());
    refuse_content(CloseReason::BodyTooLarge);
    return;
  }
  // Before the server has accepted the tunnel, and behind what came so early.
  const bool waits = state_ == State::Served || (state_ == State::Tunnel && !early_.empty());
  if (asks_for_tunnel_ && waits) {
    early_.append(bytes);  // at most a window of it: nothing is given back before it is passed on
    withheld_ += bytes.size();
    connection_.session().consume_connection(bytes.size());
    return;
  }
  exchange_.on_request_body(bytes, false, {});
  take_content(bytes.size());
}

// The windows open again: at once, or when the exchange can take more. The connection's does not
// wait for a slow stream, unless memory is short: then what all its streams hold is bounded by it.
void Http2Request::take_content(size_t size) {
  http::Http2Session& session = connection_.session();
  if (state_ == State::Done) {
    session.consume_unwanted(*this, size);
    return;
  }
  if (!paused_) {
    session.consume_stream(*this, size);
    session.consume_connection(size);
    return;
  }
  withheld_ += size;
  if (connection_.must_wait_for_memory()) {
    withheld_connection_ += size;
  } else {
    session.consume_connection(size);
  }
}

void Http2Request::on_request_end(std::string_view trailers) {
  client_done_ = true;
  if (state_ == State::Served) return;  // a tunnel that the server has not accepted yet
  const bool tunnel = state_ == State::Tunnel;
  if (state_ == State::Receiving) state_ = State::Served;
  if (tunnel && !early_.empty()) return;  // behind what waits
  end_told_ = true;
  exchange_.on_request_body({}, true, trailers);
}

void Http2Request::on_bad_content(Refusal reason) {
  refuse_content(reason);
}

// The request is wrong, or stalled.
void Http2Request::refuse_content(Refusal reason) {
  if (state_ == State::Done) return;
  connection_.listener().stats().requests_refused[reason].add();
  exchange_.cancel();
  exchange_.set_failure(reason);
  const uint16_t status = info(reason).status;
  // RFC 9113 section 8.1.1: a malformed request is a stream error, answer or not.
  const Http2Error error = status == 400 ? Http2Error::ProtocolError : Http2Error::NoError;
  if (head_sent_) {
    state_ = State::Done;
    connection_.session().reset(*this, error == Http2Error::NoError ? Http2Error::Cancel : error);
    connection_.wake();
    return;
  }
  connection_.session().end_with(*this, error);
  send_local({.reason = reason, .request_id = exchange_.request_id()});
  response_complete();
}

// --- What the client is sent.

void Http2Request::send_continue() {
  connection_.session().send_interim(*this, 100, {});
  connection_.wake();
}

void Http2Request::send_interim(const http::ResponseHead& head) {
  // 100 is for those who asked (RFC 9110 section 15.2).
  if (head.status == 100 && !expects_continue_) return;
  connection_.session().send_interim(*this, head.status, end_to_end_fields(head.fields));
  connection_.wake();
}

net::Address Http2Request::local_address() const {
  return connection_.local_address();
}

void Http2Request::begin_response(uint16_t status, const Http2Fields& fields, bool complete) {
  status_ = status;
  head_sent_ = true;
  for (const http::Http2Field& field : fields) sent_ += field.name.size() + field.value.size();
  connection_.session().send_head(*this, status, fields, complete);
  connection_.wake();
}

void Http2Request::send_head(const exchange::ResponseStart& start) {
  const config::HeaderRules& rules = start.rules;
  const bool has_rules = !rules.set.empty() || !rules.remove.empty();
  Http2Fields& fields = end_to_end_fields(start.head.fields);
  if (!start.head.summary.has_date) fields.push_back({"Date", connection_.listener().date()});
  const std::string_view hsts = connection_.hsts();
  if (!hsts.empty()) {
    std::erase_if(fields, [](const http::Http2Field& field) {
      return http::equals_nocase(field.name, kHstsField);
    });
    fields.push_back({kHstsField, hsts});
  }
  if (has_rules) {
    std::erase_if(fields, [&](const http::Http2Field& field) {
      return exchange::overridden(rules, field.name);
    });
  }
  for (const auto& [name, value] : rules.set) fields.push_back({name, value});
  if (!start.set_cookie.empty()) fields.push_back({"Set-Cookie", start.set_cookie});
  const bool empty = start.complete && start.body.empty() && start.trailers.empty();
  begin_response(start.head.status, fields, empty);
  if (!empty) send_body(start.body, start.complete, start.trailers);
}

void Http2Request::send_body(std::string_view bytes, bool complete, std::string_view trailers) {
  sent_ += bytes.size();
  body_sent_ += bytes.size();
  const bool waited = unsent() > 0;
  connection_.session().send_content(*this, bytes, connection_.listener().env().scratch, complete,
                                     trailers);
  if (unsent() >= kMuch) {
    connection_.flush();
  } else {
    connection_.wake();
  }
  if (waited || unsent() == 0) return;
  sending_.start(connection_.listener().env().now(),
                 connection_.listener().settings().send_timeout);
  watch();
}

void Http2Request::send_local(const exchange::LocalResponse& response) {
  const LocalAnswer answer(response, connection_.listener().date());
  Http2Fields& fields = shared_fields();
  answer.for_each_field(connection_.hsts(), [&](std::string_view name, std::string_view value) {
    fields.push_back({name, value});
  });
  const bool with_body = method_ != http::Method::Head;
  begin_response(response.status(), fields, !with_body);
  if (with_body) send_body(answer.body(), true, {});
}

// RFC 8441 section 5: 200 takes the place of 101, and there is no key to answer to.
void Http2Request::send_upgrade(const http::ResponseHead& head, std::string_view set_cookie) {
  constexpr uint16_t kOk = 200;
  state_ = State::Tunnel;
  connection_.session().begin_tunnel(*this);
  Http2Fields& fields = end_to_end_fields(head.fields);
  std::erase_if(fields, [](const http::Http2Field& field) {
    return http::equals_nocase(field.name, "sec-websocket-accept");
  });
  if (!set_cookie.empty()) fields.push_back({"Set-Cookie", set_cookie});
  begin_response(kOk, fields, false);
  if (!early_.empty() || client_done_) connection_.listener().env().runtime.turn.later(*this);
}

// What the connection has of it has not been taken while that cannot send.
uint64_t Http2Request::taken() const {
  const uint64_t passed_on = sent_ - std::min<uint64_t>(unsent(), sent_);
  return connection_.blocked() ? passed_on + connection_.taken() : passed_on;
}

void Http2Request::response_complete() {
  state_ = State::Done;
  early_.clear();
  resume_request_body();  // what still comes of it is thrown away
}

// The response breaks off: the client must not take it for complete.
void Http2Request::abort(CloseReason reason) {
  const bool tunnel = state_ == State::Tunnel;
  give_up(reason, tunnel ? Http2Error::Cancel : Http2Error::InternalError);
}

void Http2Request::give_up(CloseReason reason, Http2Error error) {
  exchange_.cancel();
  exchange_.set_failure(reason);
  state_ = State::Done;
  early_.clear();
  connection_.session().reset(*this, error);
  connection_.wake();
}

void Http2Request::pause_request_body() {
  paused_ = true;
}

void Http2Request::resume_request_body() {
  paused_ = false;
  if (withheld_ > 0) {
    http::Http2Session& session = connection_.session();
    session.consume_stream(*this, withheld_);
    if (withheld_connection_ > 0) session.consume_connection(withheld_connection_);
    withheld_ = withheld_connection_ = 0;
    connection_.wake();
  }
  if (waits_for_content()) expect_content();
}

// From now on it is the client's turn to send.
void Http2Request::expect_content() {
  receiving_.start(connection_.listener().env().now(),
                   connection_.listener().settings().body_timeout);
  watch();
}

void Http2Request::on_early_end() {
  ended_ = connection_.listener().env().now();
  connection_.listener().env().runtime.arm(timer_, kRestUnwantedAfter);
}

void Http2Request::on_progress(size_t bytes) {
  const config::Listener& settings = connection_.listener().settings();
  sending_.moved(connection_.listener().env().now(), bytes,
                 {.patience = settings.send_timeout,
                  .rate = exchange_.holds_connection() ? settings.min_send_rate : 0});
  // In a turn of its own: reading from the server again fills what has just been emptied.
  if (unsent() == 0 && state_ != State::Done) {
    connection_.listener().env().runtime.turn.next_turn(*this);
  }
}

void Http2Request::run() {
  if (state_ == State::Tunnel) pass_on_early();
  if (state_ == State::Done) return;
  if (unsent() == 0) {
    exchange_.on_response_drained();
  } else {
    exchange_.on_memory();
  }
}

// What a tunnel's client sent before the server had accepted it, and its end behind that.
void Http2Request::pass_on_early() {
  const bool any = !early_.empty();
  while (!early_.empty() && state_ == State::Tunnel) {
    const net::ByteBuffer bytes = early_.pop();
    exchange_.on_request_body(bytes.view(), false, {});
  }
  if (any && !paused_) resume_request_body();
  if (state_ == State::Tunnel && client_done_ && !end_told_) {
    end_told_ = true;
    exchange_.on_request_body({}, true, {});
  }
}

// --- Memory.

bool Http2Request::must_wait_for_memory() {
  return connection_.must_wait_for_memory();
}

bool Http2Request::memory_refused() const {
  return connection_.memory_refused();
}

void Http2Request::try_again() {
  if (state_ != State::Done) connection_.listener().env().runtime.turn.later(*this);
}

void Http2Request::end_for_memory() {
  if (state_ != State::Done) {
    refuse_content(CloseReason::MemoryShort);
    return;
  }
  // All of the response is here, but not with the client.
  exchange_.set_failure(CloseReason::MemoryShort);
  early_.clear();
  connection_.session().reset(*this, Http2Error::EnhanceYourCalm);
  connection_.wake();
}

// --- Time.

// Keeps the timer on the next moment at which something may be overdue.
void Http2Request::watch() {
  TimePoint due = TimePoint::max();
  if (waits_for_content()) due = receiving_.deadline();
  if (unsent() > 0) due = std::min(due, sending_.deadline());
  if (due != TimePoint::max()) connection_.listener().env().runtime.timers.arm(timer_, due);
}

void Http2Request::on_new_limits(const config::Listener& before) {
  const config::Listener& now = connection_.listener().settings();
  receiving_.shift(now.body_timeout - before.body_timeout);
  sending_.shift(now.send_timeout - before.send_timeout);
  if (state_ != State::Done || unsent() > 0) watch();
}

void Http2Request::on_timer(event::Timer&) {
  if (ended_ != TimePoint{}) {
    connection_.session().end_request_early(*this);
    connection_.wake();
    return;
  }
  const TimePoint now = connection_.listener().env().now();
  if (unsent() > 0 && connection_.blocked()) {
    // What waits for the whole connection is the connection's to judge.
    sending_.start(now, connection_.listener().settings().send_timeout);
  }
  if (unsent() > 0 && now >= sending_.deadline()) {
    give_up(sending_.behind() ? CloseReason::SendTooSlow : CloseReason::SendTimeout,
            Http2Error::Cancel);
  } else if (waits_for_content() && now >= receiving_.deadline()) {
    refuse_content(receiving_.behind() ? Refusal(CloseReason::BodyTooSlow)
                                       : Refusal(CloseReason::BodyTimeout));
  } else {
    watch();
  }
}

// --- The end.

void Http2Request::on_closed() {
  stats::ListenerStats& stats = connection_.listener().stats();
  if (reset_by_client()) {
    stats.streams_reset[stats::StreamReset::Client].add();
  } else if (reset_by_us()) {
    stats.streams_reset[stats::StreamReset::Berth].add();
  }
  if (state_ == State::Tunnel && client_done_) pass_on_early();
  if (withheld_connection_ > 0) connection_.session().consume_connection(withheld_connection_);
  if (state_ != State::Done || unsent() > 0) {
    exchange_.cancel();
    exchange_.set_failure(CloseReason::ClientReset);
  }
  record(head_sent_ ? status_ : kClientClosedRequest);
  connection_.on_request_over(*this);
}

void Http2Request::close(CloseReason reason) noexcept {
  connection_.session().forget(*this);
  if (state_ == State::Tunnel && client_done_) pass_on_early();
  exchange_.cancel();
  if (state_ != State::Done || unsent() > 0) exchange_.set_failure(reason);
  record(head_sent_ ? status_ : kClientClosedRequest);
  connection_.on_request_over(*this);
}

void Http2Request::record(uint16_t status) {
  state_ = State::Done;
  connection_.listener().env().runtime.cancel(timer_);
  event::TurnTask::unlink();
  connection_.listener().stats().streams.sub(1);
  finish_request(connection_, connection_.security(), exchange_,
                 {.method = method_,
                  .status = status,
                  .number = number_,
                  .protocol = stats::Protocol::Http2,
                  .protocol_text = "HTTP/2",
                  .began = began_,
                  .began_wall_us = began_wall_us_,
                  .ended = ended_,
                  .received = received_,
                  .sent = sent_ - std::min<uint64_t>(unsent(), sent_),
                  .body_sent = body_sent_ - std::min<uint64_t>(unsent(), body_sent_)});
}

}  // namespace berth::client
