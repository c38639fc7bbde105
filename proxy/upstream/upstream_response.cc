// What an UpstreamConnection reads: the response, its body, its end.
#include <array>

#include "proxy/http/http2_settings.h"
#include "proxy/http/malformed.h"
#include "proxy/upstream/server_pool.h"
#include "proxy/upstream/upstream_connection.h"

namespace berth::upstream {

namespace {

using enum ConnectionState;

// The parsers' target: filled and used up within one call, so one for each thread is enough.
http::ResponseHead& shared_head() {
  static thread_local http::ResponseHead head;
  return head;
}

}  // namespace

void UpstreamConnection::read_response() {
  const uint32_t request = requests_;
  net::Scratch& scratch = pool_->env().scratch;
  for (int reads = 0; readable_ && !paused_ && leased_as(request); ++reads) {
    if (reads == net::Scratch::kReadsPerTurn) {
      pool_->env().runtime.turn.next_turn(*this);
      return;
    }
    const net::IoResult got = transport_->read(scratch.data(), net::Scratch::kSize);
    switch (got.status) {
      case net::IoStatus::Again:
        readable_ = false;
        return;
      case net::IoStatus::Eof:
        // Of an RST the failed write has been told already; then only the end is left to read. (Not
        // if it came behind a FIN.)
        on_end(request_ == RequestSide::Broken);
        return;
      case net::IoStatus::Reset:
        on_end(true);
        return;
      case net::IoStatus::Ok:
        break;
    }
    // A short read means drained. But a FIN, or an RST that came together with the data, shows only
    // at the next read: so while the response is incomplete, one more read is made.
    const bool drained = !got.more && server_end_ == ServerEnd::Open;
    if (drained) readable_ = false;
    if (response_ == ResponseSide::Awaited) set_response(ResponseSide::Head);
    pool_->stats().received_bytes.add(got.bytes);
    process(scratch.data(), got.bytes);
    if (drained && leased_as(request) && response_ != ResponseSide::Done && state_ != Upgraded)
      readable_ = true;
  }
}

// Bytes on a connection that nobody has asked anything.
ConnectFailure UpstreamConnection::why_it_speaks_first() {
  std::array<char, 64> bytes;
  const net::IoResult got = transport_->read(bytes.data(), bytes.size());
  const CloseReason refused = transport_->refused();
  if (refused != CloseReason::None) return ConnectFailure::of(refused);
  const bool http2 =
      got.status == net::IoStatus::Ok && http::begins_with_settings({bytes.data(), got.bytes});
  return http2 ? ConnectFailure(CloseReason::ServerSpeaksHttp2)
               : ConnectFailure(CloseReason::BytesWhileIdle);
}

void UpstreamConnection::process(char* data, size_t size) {
  if (accepted_ == 0 && awaits_head()) {
    if (http::begins_with_settings({data, size})) {
      fail(CloseReason::ServerSpeaksHttp2);
    } else {
      fail(CloseReason::BadResponse, false, "an answer before the request");
    }
    return;
  }
  if (response_ == ResponseSide::Body) {
    process_body(data, size);
    return;
  }
  if (response_ == ResponseSide::Done) return;
  net::ByteBuffer joined;
  if (head_bytes_) {
    head_bytes_.append({data, size});
    joined = std::move(head_bytes_);
    data = joined.data();
    size = joined.size();
  }
  while (awaits_head() && process_head(data, size)) {
  }
}

// One head off the front of `data`. True if it was interim and the next one is to be looked for.
bool UpstreamConnection::process_head(char*& data, size_t& size) {
  http::ResponseHead& head = shared_head();
  const http::HeadLimits limits{.max_head = pool_->settings().max_response_head,
                                .max_target = 0,
                                .max_fields = pool_->settings().max_fields};
  const http::ParseOutcome outcome = http::HeadParser::parse({data, size}, limits, progress_, head);
  switch (outcome.status) {
    case http::ParseStatus::Refused:
      if (http::begins_with_settings({data, size})) {
        fail(CloseReason::ServerSpeaksHttp2);
      } else {
        fail(UpstreamClose::of(outcome.refusal), false,
             http::describe_refusal({data, size}, outcome));
      }
      return false;
    case http::ParseStatus::Incomplete:
      if (size > 0) head_bytes_ = net::ByteBuffer::copy_of({data, size}, size);
      return false;
    case http::ParseStatus::Complete:
      break;
  }
  progress_.reset();
  data += outcome.head_size;
  size -= outcome.head_size;
  if (head.status < 200 && head.status != 101) {
    if (++interims_ > http::kMaxInterims) {
      fail(CloseReason::BadResponse, false, "more than 64 interim responses");
      return false;
    }
    const uint32_t request = requests_;
    handler_->on_interim(head);
    return leased_as(request);
  }
  process_final_head(data, size);
  return false;
}

void UpstreamConnection::process_final_head(char* data, size_t size) {
  const http::ResponseHead& head = shared_head();
  hinted_timeout_ = head.keep_alive_timeout;
  hinted_max_ = head.keep_alive_max;
  status_ = head.status;
  pool_->on_response(head.status,
                     pool_->env().now() - (request_given() ? sent_at_ : pool_->env().now()));
  if (head.status == 101) {
    const std::string_view wrong = http::why_not_upgraded(head, upgrade_wanted_);
    if (!wrong.empty()) {
      fail(CloseReason::UnexpectedUpgrade, false, wrong);
      return;
    }
    slot_ = std::move(upgrade_slot_);
    if (!write_broken()) set_request(RequestSide::Tunnel);
    set_state(Upgraded);
    pool_->on_answer(status_);
    body_ = http::BodyDecoder({.kind = http::BodyKind::UntilClose});
    set_response(ResponseSide::Body);
    arm_timer();
    const uint32_t request = requests_;
    handler_->on_upgraded(head);
    if (size > 0 && leased_as(request)) process_body(data, size);
    return;
  }
  upgrade_slot_.give_back();
  const http::BodyFraming framing = http::response_framing(head, method_);
  unfit_ = why_unfit_after(head, framing);
  body_ = http::BodyDecoder(framing);
  const auto step = body_.decode(data, size);
  if (!step) {
    fail(CloseReason::BadResponse, false, info(step.error()).text);
    return;
  }
  set_response(step->complete ? ResponseSide::Done : ResponseSide::Body);
  if (step->complete && step->consumed < size) unfit_ = CloseReason::LeftoverBytes;
  if (!step->complete) arm_timer();  // otherwise the connection is given back at once
  handler_->on_response(head, {data, step->payload}, step->complete);
}

void UpstreamConnection::process_body(char* data, size_t size) {
  const auto step = body_.decode(data, size);
  if (!step) {
    fail(CloseReason::BadResponse, false, info(step.error()).text);
    return;
  }
  if (step->complete) {
    set_response(ResponseSide::Done);
    if (step->consumed < size) unfit_ = CloseReason::LeftoverBytes;
  }
  if (!step->complete) arm_timer();
  handler_->on_body({data, step->payload}, step->complete);
}

void UpstreamConnection::on_end(bool reset) {
  readable_ = false;
  server_end_ = reset ? ServerEnd::Gone : ServerEnd::Fin;
  if (response_ == ResponseSide::Done && !reset) return;  // half of a tunnel; known already
  if (response_ == ResponseSide::Body && !reset && body_.finish()) {
    set_response(ResponseSide::Done);
    handler_->on_body({}, true);
    return;
  }
  if (reset) {
    fail_as_reset();
  } else {
    fail(CloseReason::ServerClosed, true);
  }
}

}  // namespace berth::upstream
