#include "proxy/client/client_connection.h"

#include <algorithm>
#include <array>

#include "proxy/base/transition_table.h"
#include "proxy/client/client_listener.h"
#include "proxy/client/request_record.h"

namespace berth::client {

namespace {

using enum ClientState;

// How long a client is given to read its last response while it goes on sending.
constexpr Duration kLinger = std::chrono::seconds(2);
// What a client's kernel takes at the least before it has answered.
constexpr size_t kFirstCredit = 64 * 1024;
// How often within its send_timeout a client that does not take everything at once is looked at.
constexpr int kLooksAtSlowClients = 4;

constexpr TransitionTable<ClientState> kTransitions = {{Idle, {Reading, Active}},
                                                       {Reading, {Active}},
                                                       {Active, {Writing, Upgraded}},
                                                       {Writing, {Idle, Lingering}},
                                                       {Upgraded, {Writing}}};

}  // namespace

ClientConnection::ClientConnection(ClientListener& listener, const net::Address& peer,
                                   const Birth& birth)
    : Connection(listener, peer, birth), timer_(*this) {
  arm(listener_.settings().keepalive_timeout);
}

void ClientConnection::open(std::unique_ptr<net::Transport> transport) {
  transport_ = std::move(transport);
  transport_->charge_to(this);
  secure_ = transport_->security() != nullptr;
}

ClientConnection::~ClientConnection() = default;

void ClientConnection::set_state(ClientState next) {
  if (state() == next) return;
  BERTH_DCHECK(kTransitions.allows(state(), next));
  move_to(next);
}

void ClientConnection::arm(Duration after) {
  listener_.env().runtime.arm(timer_, after);
}

void ClientConnection::arm_at(TimePoint deadline) {
  listener_.env().runtime.timers.arm(timer_, deadline);
}

// --- Events.

void ClientConnection::on_ready(net::Ready ready) {
  fin_seen_ = fin_seen_ || ready.peer_closed;
  if (ready.writable && !out_.empty()) flush();
  if (!ready.readable || state() == Closed) return;
  readable_ = true;
  pump_input();
}

void ClientConnection::run() {
  if (state() == Closed) return;
  if (broken_) {
    close(CloseReason::ClientReset);
    return;
  }
  pump_input();
  if (state() == Idle && listener_.draining() && requests_ > 0) close(CloseReason::Shutdown);
}

void ClientConnection::drain() {
  if (state() != Idle) return;  // after_response() sees that the listener is draining
  if (!in_.empty() || transport_->probe() == net::Probe::Data) {
    readable_ = true;
    listener_.env().runtime.turn.later(*this);
  } else if (requests_ == 0) {
    arm(kFirstRequestWithin);
  } else {
    close(CloseReason::Shutdown);
  }
}

void ClientConnection::on_new_limits(const config::Listener& before) {
  const config::Listener& now = listener_.settings();
  event::TimerQueue& timers = listener_.env().runtime.timers;
  switch (state()) {
    case Idle:
      // One that drains has a limit of its own.
      if (!listener_.draining()) {
        timers.shift(timer_, now.keepalive_timeout - before.keepalive_timeout);
      }
      return;
    case Reading:
      timers.shift(timer_, now.header_timeout - before.header_timeout);
      return;
    case Active:
    case Writing:
    case Upgraded:
      active_->sending.shift(now.send_timeout - before.send_timeout);
      active_->receiving.shift(now.body_timeout - before.body_timeout);
      if (!out_.empty()) {
        arm_at(std::min(timer_.deadline(), active_->sending.deadline()));
      } else if (state() == Active && !active_->body.complete() && !active_->body_paused) {
        arm_at(active_->receiving.deadline());
      }
      return;
    case Lingering:
    case Handshake:
    case Closed:
      return;
  }
}

void ClientConnection::on_timer(event::Timer&) {
  switch (state()) {
    case Idle:
      close(listener_.draining() ? ClientClose(CloseReason::Shutdown)
                                 : ClientClose(CloseReason::KeepaliveTimeout));
      return;
    case Reading:
      refuse(CloseReason::HeaderTimeout, in_.size());
      return;
    case Active:
      if (!out_.empty()) {
        check_taking();
      } else if (!active_->body.complete() && !active_->body_paused) {
        refuse_body(active_->receiving.behind() ? Refusal(CloseReason::BodyTooSlow)
                                                : Refusal(CloseReason::BodyTimeout));
      } else if (active_->body.complete()) {
        watch_for_abort();  // and the upstream's timeouts watch the server
      }
      return;
    case Writing:
      check_taking();
      return;
    case Upgraded:
      if (!out_.empty()) check_taking();  // otherwise the upstream's upgrade_timeout watches
      return;
    case Lingering:
      close(ClientClose::of(pending_close_));
      return;
    case Handshake:
    case Closed:
      return;
  }
}

// --- Output.

void ClientConnection::write(const iovec* parts, int count) {
  if (broken_ || state() == Closed) return;
  const bool was_waiting = !out_.empty();
  const net::IoResult sent = out_.send(*transport_, parts, count, listener_.env().scratch);
  listener_.stats().sent_bytes.add(sent.bytes);
  if (active_) {
    for (int i = 0; i < count; ++i) active_->sent += parts[i].iov_len;
  }
  if (sent.status == net::IoStatus::Reset) {
    broken_ = true;
    out_.clear();
    listener_.env().runtime.turn.later(*this);
    return;
  }
  if (!out_.empty() && !was_waiting) expect_taking();
}

// Only an exchange has something to say.
void ClientConnection::flush() {
  const net::IoResult sent = out_.flush(*transport_);
  listener_.stats().sent_bytes.add(sent.bytes);
  if (sent.status == net::IoStatus::Reset) {
    close(CloseReason::ClientReset);
    return;
  }
  if (!out_.empty()) return;
  end_taking();
  if (active_->body.complete()) {
    listener_.env().runtime.cancel(timer_);
  } else {
    expect_body();
  }
  if (state() == Writing) {
    end_exchange();
    return;
  }
  if (state() == Upgraded && active_->response_complete()) {
    // The server has shut down its side of the tunnel.
    transport_->shutdown_write();
    return;
  }
  active_->exchange.on_response_drained();
}

// Bytes are left that the client did not take at once.
void ClientConnection::expect_taking() {
  const Duration patience = listener_.settings().send_timeout;
  active_->sending.resume(listener_.env().now(), patience);
  active_->taken.reset();
  active_->passed_on = active_->sent - out_.size();
  if (active_->sending.behind()) active_->taken = taken();
  arm_at(std::min(listener_.env().now() + patience / kLooksAtSlowClients,
                  active_->sending.deadline()));
}

// It has taken them. What it has been too slow for so far, it still is: its next bytes may have to
// wait in a moment.
void ClientConnection::end_taking() {
  ActiveExchange& active = *active_;
  const uint64_t bytes =
      active.taken ? taken() - *active.taken : active.sent - out_.size() - active.passed_on;
  active.sending.moved(listener_.env().now(), bytes, send_terms());
  active.sending.pause(listener_.env().now());
}

Pace::Terms ClientConnection::send_terms() const {
  const config::Listener& settings = listener_.settings();
  const bool holds = active_->exchange.holds_connection();
  return {.patience = settings.send_timeout, .rate = holds ? settings.min_send_rate : 0};
}

// The client is slow: is it moving at all, and fast enough for what it holds?
void ClientConnection::check_taking() {
  const config::Listener& settings = listener_.settings();
  const TimePoint now = listener_.env().now();
  ActiveExchange& active = *active_;
  const uint64_t total = taken();
  active.sending.moved(now, total - active.taken.value_or(total), send_terms());
  active.taken = total;
  if (now >= active.sending.deadline()) {
    abort(active.sending.behind() ? CloseReason::SendTooSlow : CloseReason::SendTimeout);
    return;
  }
  arm_at(std::min(now + settings.send_timeout / kLooksAtSlowClients, active.sending.deadline()));
}

// --- Memory.

size_t ClientConnection::memory_credit() const {
  return kFirstCredit;
}

bool ClientConnection::keeps_others_waiting() {
  return active_ && active_->exchange.keeps_others_waiting();
}

void ClientConnection::on_memory() {
  if (active_ && !broken_) active_->exchange.on_memory();
}

void ClientConnection::end_largest() {
  switch (state()) {
    case Reading:
      refuse(CloseReason::MemoryShort, in_.size());
      return;
    case Active:
      refuse_body(CloseReason::MemoryShort);
      return;
    case Writing:
    case Upgraded:
      abort(CloseReason::MemoryShort);
      return;
    case Idle:
    case Lingering:
    case Handshake:
      close(CloseReason::MemoryShort);
      return;
    case Closed:
      return;
  }
}

// Bytes that the client has received, as far as the kernel knows: what lies in the kernel's own
// buffer may wait there for minutes.
uint64_t ClientConnection::taken() const {
  const uint64_t acked = transport_->bytes_acked();
  return acked != UINT64_MAX ? acked : active_->sent - out_.size();
}

// --- The end of an exchange, and of the connection.

// The response has been sent: another request, or the end (`close_reason`). `body_left`: not all of
// the request's body has come.
void ClientConnection::after_response(CloseReason close_reason, bool body_left) {
  // Draining began after this response's head had promised keep-alive.
  const bool next_is_here = readable_ || !in_.empty();
  if (close_reason == CloseReason::None && listener_.draining() && !next_is_here) {
    close_reason = CloseReason::Shutdown;
  }
  if (close_reason == CloseReason::None) {
    set_state(Idle);
    progress_.reset();
    arm(listener_.settings().keepalive_timeout);
    if (in_ || readable_ || fin_seen_) {
      // In a turn of its own: a client's pipelined requests take no more than their share of this
      // one.
      readable_ = readable_ || fin_seen_;
      listener_.env().runtime.turn.next_turn(*this);
    }
    return;
  }
  // Input that is unread, or comes after closing, makes the kernel send RST, which could take the
  // response away from the client.
  const bool input_left = body_left || readable_ || !in_.empty() ||
                          info(close_reason).severity == Severity::Error ||
                          transport_->probe() == net::Probe::Data;
  if (!input_left) {
    close(ClientClose::of(close_reason));
    return;
  }
  pending_close_ = close_reason;
  set_state(Lingering);
  in_.reset();
  transport_->shutdown_write();
  arm(kLinger);
  readable_ = true;
  discard_input();
}

void ClientConnection::end_exchange() {
  record(active_->status);
  const CloseReason close_reason = active_->close_reason;
  const bool body_left = !active_->body.complete();
  listener_.env().runtime.turn.dispose(std::move(active_));
  after_response(close_reason, body_left);
}

void ClientConnection::record(uint16_t status) const {
  const uint64_t unsent = out_.size();
  finish_request(*this, transport_->security(), active_->exchange,
                 {.method = active_->method,
                  .status = status,
                  .number = requests_,
                  .protocol = stats::Protocol::Http1,
                  .protocol_text = active_->http10 ? "HTTP/1.0" : "HTTP/1.1",
                  .began = active_->began,
                  .began_wall_us = active_->began_wall_us,
                  .received = active_->received,
                  .sent = active_->sent - out_.size(),
                  .body_sent = active_->body_sent - std::min(active_->body_sent, unsent)});
}

// If the framing shows the client that the response is incomplete, Berth sends what it has and then
// FIN, as the server did. Otherwise an incomplete response would look whole, so Berth resets.
void ClientConnection::abort(CloseReason reason) {
  if (state() == Closed) return;
  if (active_) active_->exchange.set_failure(reason);
  const bool server_broke_off = reason == CloseReason::ResponseAborted && state() == Active;
  if (server_broke_off && active_->framing != ResponseFraming::Unframed && !broken_) {
    active_->close_reason = reason;
    set_state(Writing);
    if (out_.empty()) end_exchange();
    return;
  }
  transport_->abort_on_close();
  close(ClientClose::of(reason));
}

void ClientConnection::close(ClientClose reason) noexcept {
  if (state() == Closed) return;
  if (reason == CloseReason::ClientReset && transport_ && transport_->peer_broke_rules()) {
    reason = CloseReason::TlsBroken;
  }
  net::WorkerEnv& env = listener_.env();
  if (active_) {
    active_->exchange.cancel();
    active_->exchange.set_failure(reason);
    record(active_->head_sent() ? active_->status : kClientClosedRequest);
    env.runtime.turn.dispose(std::move(active_));
  }
  env.runtime.cancel(timer_);
  event::TurnTask::unlink();
  transport_.reset();
  in_.reset();
  out_.clear();
  end(reason);
}

}  // namespace berth::client
