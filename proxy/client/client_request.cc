// ClientConnection's input: heads, bodies, tunnels, and noticing that the client has gone.
#include <algorithm>

#include "proxy/client/client_connection.h"
#include "proxy/client/client_listener.h"
#include "proxy/http/http2_meter.h"

namespace berth::client {

namespace {

using enum ClientState;

// An RST that came together with a request's last bytes gives no event of its own. So a client
// whose request takes longer than this is looked at once: nearly every request is served sooner and
// pays nothing.
constexpr Duration kFirstLook = std::chrono::seconds(1);

// The parser's target: filled and used up within one call, so one for each thread is enough.
http::RequestHead& shared_head() {
  static thread_local http::RequestHead head;
  return head;
}

}  // namespace

void ClientConnection::pump_input() {
  switch (state()) {
    case Idle:
    case Reading:
      read_head();
      return;
    case Active:
    case Writing:
      if (!active_->body.complete()) {
        if (!active_->body_paused) read_body();
      } else {
        watch_for_abort();
      }
      return;
    case Upgraded:
      if (!active_->body_paused) read_tunnel();
      return;
    case Lingering:
      discard_input();
      return;
    case Handshake:
    case Closed:
      return;
  }
}

void ClientConnection::keep_input(std::string_view bytes) {
  in_ = net::ByteBuffer::copy_of(bytes);
  in_.charge_to(this);
}

// Something of the next request is here, and has to wait.
void ClientConnection::note_next_request() {
  if (waits_since_ == TimePoint{}) waits_since_ = listener_.env().now();
}

void ClientConnection::read_head() {
  net::Scratch& scratch = listener_.env().scratch;
  for (int rounds = 0; state() == Idle || state() == Reading; ++rounds) {
    if (rounds == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    // A pipelined request that is here already comes before what the client does next: its FIN too.
    if (state() == Idle && !in_.empty()) {
      net::ByteBuffer waiting = std::move(in_);
      parse_head(waiting.data(), waiting.size());
      continue;
    }
    if (!readable_) return;
    const net::IoResult got = transport_->read(scratch.data(), net::Scratch::kSize);
    if (got.status != net::IoStatus::Ok) {
      readable_ = false;
      if (got.status != net::IoStatus::Again) on_client_end(got.status == net::IoStatus::Reset);
      return;
    }
    readable_ = got.more || fin_seen_;
    listener_.stats().received_bytes.add(got.bytes);
    if (in_.empty()) {
      parse_head(scratch.data(), got.bytes);
    } else {
      in_.append({scratch.data(), got.bytes});
      net::ByteBuffer joined = std::move(in_);
      parse_head(joined.data(), joined.size());
    }
    // An RST that came with these bytes shows only at the next read.
    if (state() == Reading) readable_ = true;
  }
}

// `data`: everything from the first byte of the head on, in the scratch or in a buffer that
// outlives the call.
void ClientConnection::parse_head(char* data, size_t size) {
  const config::Listener& settings = listener_.settings();
  http::RequestHead& head = shared_head();
  const http::HeadLimits limits{.max_head = settings.max_head,
                                .max_target = settings.max_target,
                                .max_fields = settings.max_fields};
  const http::ParseOutcome outcome = http::HeadParser::parse({data, size}, limits, progress_, head);
  switch (outcome.status) {
    case http::ParseStatus::Refused:
      if (begins_http2({data, size})) {
        go_on_as_http2({data, size});
      } else {
        refuse(Refusal::of(outcome.refusal), size);
      }
      return;
    case http::ParseStatus::Incomplete:
      keep_input({data, size});
      if (state() == Idle) {
        set_state(Reading);
        arm(settings.header_timeout);
      }
      return;
    case http::ParseStatus::Complete:
      break;
  }
  progress_.reset();
  start_exchange(head, outcome.head_size, data + outcome.head_size, size - outcome.head_size);
}

// The preface of HTTP/2 is no acceptable HTTP/1 head, on purpose (RFC 9113 section 3.4): so only
// those that are refused are looked at.
bool ClientConnection::begins_http2(std::string_view received) const {
  constexpr std::string_view kFirstLine =
      http::kHttp2Preface.substr(0, http::kHttp2Preface.find('\n') + 1);
  const config::Http2& http2 = listener_.settings().http2;
  return requests_ == 0 && http2.enabled && http2.cleartext && received.starts_with(kFirstLine);
}

void ClientConnection::go_on_as_http2(std::string_view received) {
  listener_.env().runtime.cancel(timer_);
  event::TurnTask::unlink();
  listener_.continue_as_http2(*this, std::move(transport_), received, fin_seen_);
  end_replaced();
}

// `rest`: what has come behind the head: some of the body, maybe the next requests.
void ClientConnection::start_exchange(const http::RequestHead& head, size_t head_size, char* rest,
                                      size_t size) {
  const config::Listener& settings = listener_.settings();
  const http::BodyFraming framing = http::request_framing(head);
  if (settings.max_body != 0 && framing.kind == http::BodyKind::Length &&
      framing.length > settings.max_body) {
    refuse(CloseReason::BodyTooLarge, head_size + size);
    return;
  }
  http::BodyDecoder body(framing);
  const auto step = body.decode(rest, size);
  if (!step) {
    refuse(Refusal::of(step.error()), head_size + size);
    return;
  }
  open_exchange();
  ActiveExchange& active = *active_;
  active.body = std::move(body);
  active.method = head.method;
  active.http10 = head.summary.minor_version == 0;
  active.wants_close = !head.summary.persistent();
  active.expects_continue = head.expect_continue;
  active.received = head_size + step->consumed;
  active.body_received = step->payload;
  waits_since_ = {};
  if (step->consumed < size) {
    keep_input({rest + step->consumed, size - step->consumed});
    note_next_request();
  }
  if (step->complete) {
    arm(kFirstLook);
  } else {
    expect_body();
  }
  active.exchange.start(head, head_size, {rest, step->payload}, step->complete,
                        active.body.trailers());
  // An RST that came with these bytes shows only at the next read.
  if (active_ && !active_->body.complete()) readable_ = true;
  if (readable_ && active_ && !active_->body.complete() && !active_->body_paused) {
    listener_.env().runtime.turn.later(*this);
  }
}

void ClientConnection::open_exchange() {
  const net::WorkerEnv& env = listener_.env();
  set_state(Active);
  ++requests_;
  exchange::ClientStream& stream = *this;
  const exchange::Router& router = *listener_.context().router;
  active_ = std::make_unique<ActiveExchange>(
      listener_.context(), stream,
      exchange::ClientFacts{.peer = peer_,
                            .stats = listener_.stats(),
                            .secure = secure_,
                            .trusted = router.trusted().contains(peer_),
                            .https_port = listener_.settings().redirect_to_https,
                            .subject_header = listener_.settings().tls.client_subject_header,
                            .subject = secure_
                                           ? std::string_view(transport_->security()->peer_subject)
                                           : std::string_view(),
                            .memory = this,
                            .memory_short = keeper().refuses(*this),
                            .sends_since = waits_since_});
  active_->began = env.now();
  active_->began_wall_us = env.runtime.time.wall_micros();
}

// From now on it is the client's turn to send.
void ClientConnection::expect_body() {
  active_->receiving.start(listener_.env().now(), listener_.settings().body_timeout);
  arm_at(active_->receiving.deadline());
}

// More of the body has come. A rate is asked for only of those who hold a connection.
void ClientConnection::note_progress(size_t bytes) {
  const config::Listener& settings = listener_.settings();
  const bool holds = active_->exchange.holds_connection();
  moved(bytes);
  active_->receiving.moved(
      listener_.env().now(), bytes,
      {.patience = settings.body_timeout, .rate = holds ? settings.min_body_rate : 0});
  if (out_.empty()) arm_at(active_->receiving.deadline());
}

void ClientConnection::read_body() {
  net::Scratch& scratch = listener_.env().scratch;
  for (int reads = 0; readable_ && active_ && !active_->body.complete() && !active_->body_paused;
       ++reads) {
    if (reads == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    const net::IoResult got = transport_->read(scratch.data(), net::Scratch::kSize);
    if (got.status == net::IoStatus::Again) {
      readable_ = false;
      return;
    }
    if (got.status != net::IoStatus::Ok) {
      readable_ = false;
      on_client_end(got.status == net::IoStatus::Reset);
      return;
    }
    listener_.stats().received_bytes.add(got.bytes);
    note_progress(got.bytes);
    if (!decode_body(scratch.data(), got.bytes)) return;
    if (active_ && active_->body.complete()) {
      readable_ = got.more || fin_seen_;
    }
  }
}

// False if the request has been refused.
bool ClientConnection::decode_body(char* data, size_t size) {
  const auto step = active_->body.decode(data, size);
  if (!step) {
    refuse_body(Refusal::of(step.error()));
    return false;
  }
  active_->received += step->consumed;
  active_->body_received += step->payload;
  const uint64_t most = listener_.settings().max_body;
  if (most != 0 && active_->body_received > most) {
    refuse_body(CloseReason::BodyTooLarge);
    return false;
  }
  if (step->consumed < size) {
    keep_input({data + step->consumed, size - step->consumed});
    note_next_request();
  }
  if (step->complete && out_.empty()) arm(kFirstLook);
  active_->exchange.on_request_body({data, step->payload}, step->complete,
                                    active_->body.trailers());
  return true;
}

void ClientConnection::read_tunnel() {
  if (!in_.empty()) {
    const net::ByteBuffer waiting = std::move(in_);
    active_->exchange.on_request_body(waiting.view(), false, {});
  }
  net::Scratch& scratch = listener_.env().scratch;
  for (int reads = 0; readable_ && state() == Upgraded && !active_->body_paused; ++reads) {
    if (reads == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    const net::IoResult got = transport_->read(scratch.data(), net::Scratch::kSize);
    if (got.status == net::IoStatus::Ok) {
      listener_.stats().received_bytes.add(got.bytes);
      active_->received += got.bytes;
      active_->exchange.on_request_body({scratch.data(), got.bytes}, false, {});
      continue;
    }
    readable_ = false;
    if (got.status == net::IoStatus::Reset) close(CloseReason::ClientReset);
    if (got.status == net::IoStatus::Eof) active_->exchange.on_request_body({}, true, {});
    return;
  }
}

void ClientConnection::discard_input() {
  net::Scratch& scratch = listener_.env().scratch;
  for (int reads = 0; readable_; ++reads) {
    if (reads == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    const net::IoResult got = transport_->read(scratch.data(), net::Scratch::kSize);
    if (got.status == net::IoStatus::Ok) {
      listener_.stats().received_bytes.add(got.bytes);
      continue;
    }
    readable_ = false;
    if (got.status != net::IoStatus::Again) close(ClientClose::of(pending_close_));
  }
}

// A request is being served and nothing is wanted from the client: is it still there?
void ClientConnection::watch_for_abort() {
  switch (transport_->probe()) {
    case net::Probe::Quiet:
      readable_ = false;
      return;
    case net::Probe::Data:
      note_next_request();  // read when its turn comes
      break;
    case net::Probe::Eof:
      fin_seen_ = true;
      break;
    case net::Probe::Reset:
      close(CloseReason::ClientReset);
      return;
  }
  // Has it left, or does it wait for the response with its sending side shut down?
  if (fin_seen_ && listener_.settings().half_close == config::HalfClose::Abort) {
    close(CloseReason::ClientAborted);
  }
}

void ClientConnection::on_client_end(bool reset) {
  if (reset) {
    close(CloseReason::ClientReset);
  } else {
    close(state() == Idle ? ClientClose(CloseReason::PeerClosed)
                          : ClientClose(CloseReason::ClientAborted));
  }
}

// The request is not served: its head is wrong, or did not come in time.
void ClientConnection::refuse(Refusal reason, size_t received) {
  listener_.stats().requests_refused[reason].add();
  open_exchange();
  active_->method = http::Method::Other;
  active_->received = received;
  active_->wants_close = true;
  active_->close_reason = reason;
  active_->exchange.set_failure(reason);
  in_.reset();
  send_local({.reason = reason});
  response_complete();
}

// The request's body is wrong, or stalled, while the exchange is under way.
void ClientConnection::refuse_body(Refusal reason) {
  listener_.stats().requests_refused[reason].add();
  active_->exchange.cancel();
  active_->exchange.set_failure(reason);
  in_.reset();
  if (active_->head_sent()) {
    abort(reason);
    return;
  }
  active_->wants_close = true;
  active_->close_reason = reason;
  send_local({.reason = reason, .request_id = active_->exchange.request_id()});
  response_complete();
}

}  // namespace berth::client
