// The first half of an exchange: the request's body on its way to the server, collected in memory
// or in a file, or passed on as it comes.
#include <algorithm>

#include "proxy/exchange/exchange.h"
#include "proxy/exchange/gather.h"
#include "proxy/upstream/server_observer.h"

namespace berth::exchange {

namespace {

// More than this unsent to the server: the client waits.
constexpr size_t kUnsentToServer = 64 * 1024;

// Bytes a second. An upload that has arrived at least this fast so far may hold a connection while
// the rest arrives. A slower one is collected first.
constexpr double kFast = 1024 * 1024;

// Blocks that one exchange reads from its file in a turn: then the others have theirs.
constexpr int kBlocksPerTurn = 16;

}  // namespace

void Exchange::on_request_body(std::string_view bytes, bool complete, std::string_view trailers) {
  if (response_ == ResponseProgress::Tunnel) {
    received_ += bytes.size();
    stream_body(bytes);
    if (complete && !tunnel_.client_has_ended()) {
      lease_->shutdown_write();
      if (tunnel_.client_ended()) finish_response();
    }
    return;
  }
  // Answered or given up: the rest of the body is of no use, though the client may still send it.
  if (response_ == ResponseProgress::Complete) return;
  body_complete_ = body_complete_ || complete;
  if (complete && !trailers.empty()) take_trailers(trailers);
  received_ += bytes.size();
  awaits_100_ = false;
  switch (progress_) {
    case RequestProgress::Receiving:
      collect(bytes);
      return;
    case RequestProgress::Waiting:
      buffer_body(bytes);
      return;
    case RequestProgress::Streaming:
      if (!lease_) return;
      if (feeding()) {
        buffer_body(bytes);  // behind what waits in the file
      } else {
        stream_body(bytes);
      }
      return;
    case RequestProgress::Sent:
      return;
  }
}

// What of the request gets through to a server.
const RequestFilter& Exchange::filter() const {
  static const RequestFilter kEverything;
  if (target_.route == nullptr) return kEverything;
  return client_.trusted ? *target_.trusted : *target_.strangers;
}

// Of a complete request; the rules of its head hold for them too.
void Exchange::take_trailers(std::string_view trailers) {
  kept_trailers_ =
      without_lines(trailers, [this](std::string_view name) { return filter().drops(name); });
  trailers_ = kept_trailers_;
}

// The head is here, and not all of the body.
void Exchange::begin_body(const http::RequestHead& head, std::string_view body) {
  began_ = client_.sends_since != TimePoint{} ? client_.sends_since : context_.env.now();
  const bool expects = head.expect_continue && body.empty();
  if (streams()) {
    awaits_100_ = expects;
    dispatch(body);
    return;
  }
  if (body_mode_ == config::RequestBody::Spool && head.summary.has_length() && spool_limit() > 0 &&
      head.summary.content_length > spool_limit()) {
    answer(CloseReason::SpoolTooLarge);
    return;
  }
  // Who waits for 100 (Continue) holds nothing meanwhile: Berth says it, as soon as it is known
  // where the request goes. One that has begun to send needs none (RFC 9110 section 10.1.1).
  if (expects) stream_.send_continue();
  collect(body);
}

// More of a body that has no connection yet.
void Exchange::collect(std::string_view bytes) {
  if (bytes.empty() && !body_complete_) return;
  if (!body_.in_file()) {
    if (body_complete_) {
      dispatch(bytes);
      return;
    }
    if (!request_buffer_full(body_.size() + bytes.size())) {
      buffer_body(bytes);
      return;
    }
  }
  const bool fits = body_.size() + bytes.size() <= spool_limit();
  const bool streams_on = !fits && body_mode_ == config::RequestBody::Auto;
  if (streams_on || (!body_complete_ && may_stream())) {
    stream_from_here(bytes);
    return;
  }
  if (!fits) {
    answer(spool_limit() > 0 ? Refusal(CloseReason::SpoolTooLarge)
                             : Refusal(CloseReason::SpoolFailed));
    return;
  }
  if (!body_.in_file()) {
    const CloseReason failed = body_.move_to_file(*context_.env.spool);
    if (failed != CloseReason::None) {
      answer(Refusal::of(failed));
      return;
    }
  }
  if (buffer_body(bytes) && body_complete_) dispatch({});
}

void Exchange::stream_from_here(std::string_view bytes) {
  if (!body_.in_file()) {
    dispatch(bytes);
  } else if (buffer_body(bytes)) {
    dispatch({});
  }
}

// Whether the rest of the body may come while a connection is held for it.
bool Exchange::may_stream() {
  if (body_mode_ != config::RequestBody::Auto) return false;
  if (received_ < target_.cluster->settings().request_buffer) return false;  // memory is short
  const double took = to_seconds(context_.env.now() - began_);
  if (static_cast<double>(received_) < took * kFast) return false;
  if (!target_.cluster->has_room_now()) return false;
  upload_slot_ = target_.cluster->take_upload_slot();
  return static_cast<bool>(upload_slot_);
}

uint64_t Exchange::spool_limit() const {
  return context_.env.spool != nullptr ? context_.env.spool->max_size() : 0;
}

// Keeps more of the body. False if that failed: then the request has been answered.
bool Exchange::buffer_body(std::string_view bytes) {
  if (body_.in_file()) {
    const CloseReason failed = body_.spool(bytes);
    if (failed != CloseReason::None) {
      give_up_body(Refusal::of(failed));
      return false;
    }
  } else {
    body_.keep(bytes, context_.env.scratch);
  }
  if (!body_complete_ && progress_ != RequestProgress::Receiving && !client_paused_ &&
      body_waits()) {
    client_paused_ = true;
    stream_.pause_request_body();
  }
  return true;
}

// Enough is stored for a server: more of it can wait.
bool Exchange::body_waits() const {
  return body_.in_file() ? body_.unread() > kUnsentToServer : request_buffer_full(body_.size());
}

// Its file has failed.
void Exchange::give_up_body(Refusal reason) {
  give_up();
  lease_.give_back(reason);
  if (!response_started()) {
    answer(reason);
    return;
  }
  set_failure(reason);
  response_ = ResponseProgress::Complete;
  upload_slot_.give_back();
  stream_.abort(reason);
}

// Returns whether no more of the body may stay in memory: request_buffer is full, or memory is
// short.
bool Exchange::request_buffer_full(size_t size) const {
  return size >= target_.cluster->settings().request_buffer || memory_is_short();
}

bool Exchange::memory_is_short() const {
  return net::buffered_memory() > net::MemoryKeeper::short_from(router_->config().memory_budget);
}

// Passes on what is stored, a block at a time, as fast as the server takes it. `head`: goes before.
void Exchange::feed(std::string_view head) {
  for (int blocks = 0; lease_ && feeding() && lease_->unsent() == 0; ++blocks) {
    if (blocks == kBlocksPerTurn) {
      context_.env.runtime.turn.next_turn(feeder_);
      return;
    }
    const std::string_view block = body_.read();
    if (block.empty()) {
      give_up_body(CloseReason::SpoolFailed);
      return;
    }
    if (!pass_on(std::exchange(head, {}), block)) return;
  }
  if (lease_ && !feeding()) resume_client();
}

void Exchange::Feeder::run() {
  if (exchange.response_ != ResponseProgress::Complete) exchange.feed({});
}

// Bytes of the body, which are the last ones if it is complete and nothing is stored. False if the
// connection is broken.
bool Exchange::pass_on(std::string_view head, std::string_view bytes) {
  Gather out(*lease_.operator->());
  const bool tunnel = response_ == ResponseProgress::Tunnel;
  const bool last = body_complete_ && !feeding() && !tunnel;
  const bool framed = chunked_ && !tunnel;
  char size_line[24];
  if (!head.empty()) out.add_head(head, lease_->last_request());
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
  if (!out.flush()) return false;
  if (last) request_sent();
  return true;
}

void Exchange::stream_body(std::string_view bytes) {
  const bool tunnel = response_ == ResponseProgress::Tunnel;
  if (!tunnel) {
    body_kept_ = false;
    body_.clear();
  }
  if (!pass_on({}, bytes)) return;
  const bool more_to_come = tunnel || progress_ == RequestProgress::Streaming;
  if (more_to_come && lease_->unsent() > kUnsentToServer && !client_paused_) {
    client_paused_ = true;
    stream_.pause_request_body();
  }
}

void Exchange::on_request_drained() {
  if (feeding()) {
    feed({});
  } else {
    resume_client();
  }
}

void Exchange::resume_client() {
  if (!client_paused_) return;
  client_paused_ = false;
  stream_.resume_request_body();
}

// The whole request is with the connection.
void Exchange::request_sent() {
  progress_ = RequestProgress::Sent;
  sent_at_ = context_.env.now();
  upload_slot_.give_back();
  lease_->request_complete();
}

// --- When others wait for its connection.

upstream::ServerPool* Exchange::held_pool() const {
  return holds_connection() ? &lease_->pool() : nullptr;
}

std::optional<uint64_t> Exchange::moved() const {
  if (response_ == ResponseProgress::Body) {
    if (lease_->paused()) return stream_.taken();
    return std::nullopt;
  }
  // Of an upload, unless it is the server that has to read or to say 100 (Continue).
  const bool wants_more = progress_ == RequestProgress::Streaming && !body_complete_ &&
                          !feeding() && !client_paused_ && !awaits_100_;
  if (!wants_more || lease_->unsent() > 0) return std::nullopt;
  return received_;
}

void Exchange::end_rest(Duration rested) {
  target_.cluster->stats().holders_ended.add();
  if (upstream::ServerObserver* observer = target_.cluster->observer()) {
    observer->on_holder_ended(*server_, client_.peer, rested, !response_started());
  }
  give_up_body(CloseReason::ClientRested);
}

}  // namespace berth::exchange
