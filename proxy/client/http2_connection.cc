#include "proxy/client/http2_connection.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/base/transition_table.h"
#include "proxy/client/client_listener.h"

namespace berth::client {

namespace {

using enum ClientState;
using http::Http2Error;

// How long a client that answers no PING is given to hear that it is to open no more streams.
constexpr Duration kGoawayWithin = std::chrono::seconds(1);
// How long a connection that is to be replaced has to be idle before it is.
constexpr Duration kPause = std::chrono::seconds(1);
// If no such pause comes, GOAWAY comes with a request after this time.
constexpr Duration kReplacedWithin = std::chrono::minutes(1);
// How long a client is given to read our GOAWAY while it goes on sending.
constexpr Duration kLinger = std::chrono::seconds(2);
// And how much it may send then: what its windows had allowed, and some frames.
constexpr uint64_t kMostDiscarded = 2 * 1024 * 1024;
// What a client takes at the least before it has answered.
constexpr size_t kFirstCredit = 64 * 1024;
// How often within its send_timeout a client that does not take everything at once is looked at.
constexpr int kLooksAtSlowClients = 4;

// Used up within one call. Not the worker's scratch: an exchange takes over that block, whose other
// streams are still to be looked at.
char* input_block() {
  static thread_local std::array<char, net::Scratch::kSize> block;
  return block.data();
}
char* output_block() {
  static thread_local std::array<char, http::Http2Session::kRoom> block;
  return block.data();
}

constexpr TransitionTable<ClientState> kTransitions = {{Idle, {Active, Lingering}},
                                                       {Active, {Idle, Lingering}}};

http::Http2Limits limits_of(const config::Listener& settings) {
  return {.head = {.max_head = settings.max_head,
                   .max_target = settings.max_target,
                   .max_fields = settings.max_fields},
          .max_streams = settings.http2.max_streams};
}

}  // namespace

Http2Connection::Http2Connection(ClientListener& listener, const net::Address& peer,
                                 const Birth& birth, bool secure)
    : Connection(listener, peer, birth),
      session_(limits_of(listener.settings()), *this, listener.env().random),
      timer_(*this),
      guard_(*this),
      goaway_timer_(*this),
      secure_(secure) {
  arm(listener_.settings().keepalive_timeout);
}

Http2Connection::~Http2Connection() = default;

void Http2Connection::open(std::unique_ptr<net::Transport> transport, std::string_view received) {
  transport_ = std::move(transport);
  transport_->charge_to(this);
  listener_.env().runtime.arm(guard_, listener_.settings().header_timeout);
  readable_ = true;
  wake();
  // More than a block of it, when half a preface had waited for the rest.
  while (!received.empty() && state() != Closed) {
    const std::string_view part = received.substr(0, net::Scratch::kSize);
    received.remove_prefix(part.size());
    std::memcpy(input_block(), part.data(), part.size());
    receive({input_block(), part.size()});
  }
}

void Http2Connection::set_state(ClientState next) {
  if (state() == next) return;
  BERTH_DCHECK(kTransitions.allows(state(), next));
  move_to(next);
}

void Http2Connection::arm(Duration after) {
  listener_.env().runtime.arm(timer_, after);
}

exchange::ClientFacts Http2Connection::facts() {
  net::MemoryAccount* const memory = this;
  return {.peer = peer_,
          .stats = listener_.stats(),
          .secure = secure_,
          .http2 = true,
          .trusted = listener_.context().router->trusted().contains(peer_),
          .https_port = listener_.settings().redirect_to_https,
          .subject_header = listener_.settings().tls.client_subject_header,
          .subject =
              secure_ ? std::string_view(transport_->security()->peer_subject) : std::string_view(),
          .memory = memory,
          .memory_short = memory_refused()};
}

std::string_view Http2Connection::hsts() const {
  return secure_ ? listener_.hsts() : std::string_view();
}

// --- Input.

void Http2Connection::on_ready(net::Ready ready) {
  fin_seen_ = fin_seen_ || ready.peer_closed;
  if (ready.writable && !out_.empty()) {
    const net::IoResult sent = out_.flush(*transport_);
    listener_.stats().sent_bytes.add(sent.bytes);
    if (sent.status == net::IoStatus::Reset) {
      close(CloseReason::ClientReset);
      return;
    }
    if (out_.empty()) {
      end_taking();
      listener_.env().runtime.cancel(timer_);
      wake();
    }
  }
  if (!ready.readable || state() == Closed) return;
  readable_ = true;
  pump_input();
}

void Http2Connection::pump_input() {
  if (state() == Lingering) {
    discard_input();
    return;
  }
  for (int reads = 0; readable_ && state() != Closed && state() != Lingering; ++reads) {
    if (reads == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    const net::IoResult got = transport_->read(input_block(), net::Scratch::kSize);
    if (got.status == net::IoStatus::Ok) {
      readable_ = got.more || fin_seen_;
      listener_.stats().received_bytes.add(got.bytes);
      receive({input_block(), got.bytes});
      continue;
    }
    readable_ = false;
    if (got.status == net::IoStatus::Reset) {
      close(CloseReason::ClientReset);
    } else if (got.status == net::IoStatus::Eof) {
      // A client that has heard that we end it may be the first to close.
      const CloseReason left = ending_ != CloseReason::None ? ending_ : CloseReason::PeerClosed;
      close(state() == Idle ? ClientClose::of(left) : ClientClose(CloseReason::ClientAborted));
    }
  }
}

void Http2Connection::receive(std::string_view bytes) {
  const bool in_block = session_.in_header_block();
  session_.receive(bytes, listener_.env().now());
  if (state() == Closed) return;
  if (session_.in_header_block() && !in_block) {
    listener_.env().runtime.arm(guard_, listener_.settings().header_timeout);
  }
  wake();
}

void Http2Connection::discard_input() {
  for (int reads = 0; readable_; ++reads) {
    if (reads == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    const net::IoResult got = transport_->read(input_block(), net::Scratch::kSize);
    if (got.status == net::IoStatus::Ok) {
      listener_.stats().received_bytes.add(got.bytes);
      discarded_ += got.bytes;
      if (discarded_ <= kMostDiscarded) continue;
      close(ClientClose::of(ending_));
      return;
    }
    readable_ = false;
    if (got.status != net::IoStatus::Again) close(ClientClose::of(ending_));
  }
}

// --- Requests.

http::Http2Stream& Http2Connection::open_stream() {
  ++requests_;
  Http2Request& request = open_.adopt(std::make_unique<Http2Request>(*this));
  if (state() == Idle) {
    set_state(Active);
    if (!blocked()) listener_.env().runtime.cancel(timer_);
  }
  look_at_age();
  return request;
}

// GOAWAY while requests come costs some clients those that they are about to send: Chromium fails
// what it has given to the connection and not yet sent, also in a moment when none is open. So it
// waits for a pause, but not for ever.
void Http2Connection::look_at_age() {
  const config::Listener& settings = listener_.settings();
  const TimePoint now = listener_.env().now();
  if (replace_ == CloseReason::None) {
    if (requests_ >= settings.keepalive_requests) {
      replace_ = CloseReason::KeepaliveRequests;
    } else if (now - birth().opened >= settings.keepalive_time) {
      replace_ = CloseReason::KeepaliveTime;
    } else {
      return;
    }
    replace_since_ = now;
  }
  if (now - replace_since_ >= kReplacedWithin) end_gracefully(replace_);
}

void Http2Connection::on_request_over(Http2Request& request) {
  listener_.env().runtime.turn.dispose(open_.extract(request));
  if (open_.empty()) wake();
}

void Http2Connection::end_requests(CloseReason reason) {
  open_.for_each([reason](Http2Request& request) { request.close(reason); });
}

// --- Output.

void Http2Connection::wake() {
  if (state() != Closed) listener_.env().runtime.turn.later(*this);
}

void Http2Connection::run() {
  if (state() == Closed) return;
  if (broken_) {
    close(CloseReason::ClientReset);
    return;
  }
  flush();
  if (state() == Closed) return;
  after_output();
  if (state() != Closed && readable_) pump_input();
}

void Http2Connection::flush() {
  if (session_.busy() || broken_ || state() == Closed || state() == Lingering) return;
  for (int rounds = 0; out_.empty(); ++rounds) {
    if (rounds == net::Scratch::kReadsPerTurn) {
      listener_.env().runtime.turn.next_turn(*this);
      return;
    }
    const size_t size = session_.produce(output_block());
    if (size == 0) return;
    const iovec part{output_block(), size};
    const net::IoResult sent = out_.send(*transport_, &part, 1, listener_.env().scratch);
    listener_.stats().sent_bytes.add(sent.bytes);
    if (sent.status == net::IoStatus::Reset) {
      broken_ = true;
      out_.clear();
      wake();
      return;
    }
    sent_ += size;
    if (!out_.empty()) expect_taking();
    if (size < http::Http2Session::kEnough) return;
  }
}

// Everything that can be sent is sent: idle, or at the end?
void Http2Connection::after_output() {
  if (state() == Lingering) return;
  if (session_.failure() != CloseReason::None) {
    end_requests(session_.failure());
    linger(ClientClose::of(session_.failure()));
    return;
  }
  if (!out_.empty()) return;
  if (session_.finished()) {
    const CloseReason reason = ending_ != CloseReason::None ? ending_ : CloseReason::CloseRequested;
    end_requests(reason);
    linger(ClientClose::of(reason));
    return;
  }
  if (open_.empty()) {
    set_state(Idle);
    if (timer_.armed()) return;
    const Duration patience = listener_.settings().keepalive_timeout;
    arm(to_be_replaced() ? std::min(patience, kPause) : patience);
  }
}

// Bytes are left that the client did not take at once.
void Http2Connection::expect_taking() {
  const Duration patience = listener_.settings().send_timeout;
  sending_.resume(listener_.env().now(), patience);
  taken_before_.reset();
  passed_on_ = sent_ - out_.size();
  if (sending_.behind()) taken_before_ = taken();
  const TimePoint look = listener_.env().now() + patience / kLooksAtSlowClients;
  listener_.env().runtime.timers.arm(timer_, std::min(look, sending_.deadline()));
}

// It has taken them. What it has been too slow for so far, it still is while it has requests: their
// next bytes may have to wait in a moment.
void Http2Connection::end_taking() {
  const TimePoint now = listener_.env().now();
  const uint64_t bytes = taken_before_ ? taken() - *taken_before_ : sent_ - passed_on_;
  sending_.moved(now, bytes, send_terms());
  if (open_.empty()) {
    sending_.start(now, listener_.settings().send_timeout);
  } else {
    sending_.pause(now);
  }
}

Pace::Terms Http2Connection::send_terms() {
  const config::Listener& settings = listener_.settings();
  const bool holds = open_.find_if([](const Http2Request& request) {
    return request.holds_connection();
  }) != nullptr;
  return {.patience = settings.send_timeout, .rate = holds ? settings.min_send_rate : 0};
}

// The client is slow: is it moving at all, and fast enough for what its requests hold?
void Http2Connection::check_taking() {
  const config::Listener& settings = listener_.settings();
  const TimePoint now = listener_.env().now();
  const uint64_t total = taken();
  sending_.moved(now, total - taken_before_.value_or(total), send_terms());
  taken_before_ = total;
  if (now >= sending_.deadline()) {
    close(sending_.behind() ? ClientClose(CloseReason::SendTooSlow)
                            : ClientClose(CloseReason::SendTimeout));
    return;
  }
  const TimePoint look = now + settings.send_timeout / kLooksAtSlowClients;
  listener_.env().runtime.timers.arm(timer_, std::min(look, sending_.deadline()));
}

uint64_t Http2Connection::taken() const {
  const uint64_t acked = transport_->bytes_acked();
  return acked != UINT64_MAX ? acked : sent_ - out_.size();
}

// --- Memory.

// A client that says that it takes nothing is believed at once.
size_t Http2Connection::memory_credit() const {
  return std::min(kFirstCredit, session_.initial_window());
}

bool Http2Connection::keeps_others_waiting() {
  return open_.find_if(
             [](const Http2Request& request) { return request.keeps_others_waiting(); }) != nullptr;
}

void Http2Connection::on_memory() {
  if (state() == Closed || state() == Lingering) return;
  open_.for_each([this](Http2Request& request) { request.try_again(); });
}

// The response or upload of which most is here; the whole connection if it is none of them.
void Http2Connection::end_largest() {
  Http2Request* largest = nullptr;
  open_.for_each([&](Http2Request& request) {
    if (largest == nullptr || request.buffered() > largest->buffered()) largest = &request;
  });
  if (largest != nullptr && largest->buffered() > 0) {
    largest->end_for_memory();
  } else {
    close(CloseReason::MemoryShort);
  }
}

// --- The end.

// GOAWAY in two steps: what the client sent before it had heard the first is still served.
void Http2Connection::end_gracefully(CloseReason reason) {
  if (goaway_ != Goaway::None || state() == Lingering || state() == Closed) return;
  ending_ = reason;
  goaway_ = Goaway::Announced;
  session_.announce_end();
  session_.ping();
  listener_.env().runtime.arm(goaway_timer_, kGoawayWithin);
  wake();
}

void Http2Connection::on_ping_answered() {
  finish_goaway();
}

void Http2Connection::finish_goaway() {
  if (goaway_ != Goaway::Announced) return;
  goaway_ = Goaway::Final;
  listener_.env().runtime.cancel(goaway_timer_);
  session_.end_new_streams();
  wake();
}

void Http2Connection::announce_end() {
  if (requests_ > 0) end_gracefully(CloseReason::Shutdown);
}

void Http2Connection::drain() {
  if (state() == Idle && requests_ == 0) arm(kFirstRequestWithin);
  end_gracefully(CloseReason::Shutdown);
}

void Http2Connection::on_new_limits(const config::Listener& before) {
  const config::Listener& now = listener_.settings();
  event::TimerQueue& timers = listener_.env().runtime.timers;
  timers.shift(guard_, now.header_timeout - before.header_timeout);
  sending_.shift(now.send_timeout - before.send_timeout);
  open_.for_each([&](Http2Request& request) { request.on_new_limits(before); });
  if (state() == Lingering || state() == Closed) return;
  if (requests_ > 0) look_at_age();
  if (blocked()) {
    timers.arm(timer_, std::min(timer_.deadline(), sending_.deadline()));
  } else if (state() == Idle && !listener_.draining()) {
    timers.shift(timer_, now.keepalive_timeout - before.keepalive_timeout);
    const TimePoint pause = listener_.env().now() + kPause;
    if (to_be_replaced() && timer_.deadline() > pause) timers.arm(timer_, pause);
  }
}

void Http2Connection::on_timer(event::Timer& timer) {
  if (&timer == &goaway_timer_) {
    finish_goaway();
    return;
  }
  if (&timer == &guard_) {
    if (session_.in_header_block()) {
      close(CloseReason::HeaderTimeout);
    } else if (!session_.settings_acknowledged()) {
      close(CloseReason::SettingsTimeout);
    }
    return;
  }
  switch (state()) {
    case Idle:
      if (blocked()) {
        check_taking();
      } else if (to_be_replaced()) {
        end_gracefully(replace_);
        arm(listener_.settings().keepalive_timeout);
      } else {
        close(listener_.draining() ? ClientClose(CloseReason::Shutdown)
                                   : ClientClose(CloseReason::KeepaliveTimeout));
      }
      return;
    case Active:
      if (blocked()) check_taking();
      return;
    case Lingering:
      close(ClientClose::of(ending_));
      return;
    case Reading:
    case Writing:
    case Upgraded:
    case Handshake:
    case Closed:
      return;
  }
}

// Closing with unread input makes the kernel send RST, which could take our last frames away from
// the client.
void Http2Connection::linger(ClientClose reason) {
  ending_ = reason;
  if (!out_.empty()) {
    close(reason);
    return;
  }
  set_state(Lingering);
  listener_.env().runtime.cancel(guard_);
  listener_.env().runtime.cancel(goaway_timer_);
  transport_->shutdown_write();
  arm(kLinger);
  readable_ = true;
  discard_input();
}

void Http2Connection::close(ClientClose reason) noexcept {
  if (state() == Closed) return;
  if (reason == CloseReason::ClientReset && transport_ && transport_->peer_broke_rules()) {
    reason = CloseReason::TlsBroken;
  }
  const net::WorkerEnv& env = listener_.env();
  end_requests(reason);
  // A last word, if it goes out at once.
  if (transport_ && state() != Lingering && !broken_ && out_.empty() && !session_.busy()) {
    const bool late = reason == CloseReason::SettingsTimeout;
    const bool error = info(reason).severity == Severity::Error;
    session_.terminate(late    ? Http2Error::SettingsTimeout
                       : error ? Http2Error::EnhanceYourCalm
                               : Http2Error::NoError);
    flush();
  }
  env.runtime.cancel(timer_);
  env.runtime.cancel(guard_);
  env.runtime.cancel(goaway_timer_);
  event::TurnTask::unlink();
  transport_.reset();
  out_.clear();
  end(reason);
}

}  // namespace berth::client
