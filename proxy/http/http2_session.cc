#include "proxy/http/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "proxy/base/check.h"
#include "proxy/http/http2_callbacks.h"

namespace berth::http {

namespace {

// The parser's target: filled and used up within one call, so one for each thread is enough.
RequestHead& shared_head() {
  static thread_local RequestHead head;
  return head;
}

// ":status" and the fields, as nghttp2 takes them; it copies them.
const std::vector<nghttp2_nv>& response_fields(uint16_t status, std::array<char, 3>& digits,
                                               const Http2Fields& fields) {
  static thread_local std::vector<nghttp2_nv> pairs;
  digits = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
            static_cast<char>('0' + status % 10)};
  pairs.clear();
  pairs.push_back(pair_of(":status", {digits.data(), digits.size()}));
  for (const Http2Field& field : fields) pairs.push_back(pair_of(field.name, field.value));
  return pairs;
}

// 16 random bytes in base64 (RFC 6455 section 4.1).
std::array<char, 24> websocket_key(Random& random) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<char, 24> key;
  key.fill('=');
  for (size_t i = 0; i < 21; ++i) key[i] = kDigits[random.next() >> 58];
  key[21] = kDigits[(random.next() >> 62) << 4];  // the last two bits of 128
  return key;
}

}  // namespace

void Http2Session::Delete::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

Http2Session::Http2Session(const Http2Limits& limits, Http2Events& events, Random& random)
    : events_(events),
      random_(random),
      limits_(limits.head),
      meter_(limits.head.max_head),
      dead_content_(limits.stream_window, uint64_t{limits.max_streams} * limits.stream_window) {
  static nghttp2_session_callbacks* const callbacks = Callbacks::make();
  static nghttp2_option* const options = Callbacks::make_options();
  nghttp2_session* made = nullptr;
  if (nghttp2_session_server_new2(&made, callbacks, this, options) != 0) throw std::bad_alloc();
  session_.reset(made);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(limits.head.max_head)},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(limits.connection_window));
}

Http2Session::~Http2Session() = default;

// The first reason wins.
void Http2Session::fail(CloseReason reason, Http2Error error) {
  if (failure_ != CloseReason::None) return;
  failure_ = reason;
  if (error != Http2Error::NoError) terminate(error);
}

// --- What the client sends.

void Http2Session::receive(std::string_view bytes, TimePoint now) {
  BERTH_DCHECK(!busy_);
  now_ = now;
  const CloseReason flood = meter_.take(bytes, now);
  if (flood != CloseReason::None) {
    fail(flood, flood == CloseReason::Http2Error ? Http2Error::ProtocolError
                                                 : Http2Error::EnhanceYourCalm);
    return;
  }
  busy_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  busy_ = false;
  if (!dead_content_.within(meter_.content()))
    fail(CloseReason::FrameFlood, Http2Error::EnhanceYourCalm);
  if (taken == NGHTTP2_ERR_FLOODED) {
    fail(CloseReason::FrameFlood, Http2Error::EnhanceYourCalm);
  } else if (taken < 0) {
    fail(CloseReason::Http2Error, Http2Error::ProtocolError);
  }
}

void Http2Session::end_head(Http2Stream& stream, bool ends) {
  // For the stream to be as old as the others in its class, so that they take turns (RFC 9218).
  nghttp2_extpri priority{.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
  nghttp2_session_change_extpri_stream_priority(session_.get(), static_cast<int32_t>(stream.id_),
                                                &priority, 0);
  stream.request_ended_ = ends;
  const std::array<char, 24> key = websocket_key(random_);
  RequestHead& head = shared_head();
  const Http2HeadBuilder::Outcome outcome = head_.finish(ends, {key.data(), key.size()}, head);
  if (outcome.refusal != CloseReason::None) {
    stream.request_refused_ = true;
    stream.on_refused(Refusal::of(outcome.refusal), head_.method(), head_.decoded());
  } else {
    if (head.summary.has_length()) stream.expected_ = head.summary.content_length;
    stream.on_request(head, outcome.size, ends);
  }
  head_.clear();
}

void Http2Session::take_content(Http2Stream& stream, std::string_view bytes) {
  if (stream.expected_ != HeadSummary::kNoLength) {
    if (bytes.size() > stream.expected_) {
      nghttp2_session_consume_connection(session_.get(), bytes.size());
      refuse_content(stream, CloseReason::BadContentLength);
      return;
    }
    stream.expected_ -= bytes.size();
  }
  stream.on_content(bytes);
}

void Http2Session::end_trailers(Http2Stream& stream, bool ends) {
  if (stream.request_refused_) {
    stream.request_ended_ = stream.request_ended_ || ends;
    return;
  }
  // RFC 9113 section 8.1: a second field section is the last thing of a request.
  if (!ends || trailers_.finish() != CloseReason::None) {
    stream.request_ended_ = ends;
    refuse_content(stream, CloseReason::BadTrailer);
    return;
  }
  stream.request_trailers_ = trailers_.take();
  end_request(stream);
}

void Http2Session::end_request(Http2Stream& stream) {
  stream.request_ended_ = true;
  if (stream.ended_early_) wake_client();
  if (stream.request_refused_) return;
  if (stream.expected_ != HeadSummary::kNoLength && stream.expected_ > 0) {
    refuse_content(stream, CloseReason::BadContentLength);
    return;
  }
  stream.on_request_end(stream.request_trailers_);
}

void Http2Session::refuse_content(Http2Stream& stream, Refusal reason) {
  stream.request_refused_ = true;
  stream.on_bad_content(reason);
}

void Http2Session::consume_stream(Http2Stream& stream, size_t bytes) {
  nghttp2_session_consume_stream(session_.get(), static_cast<int32_t>(stream.id_), bytes);
}

size_t Http2Session::initial_window() const {
  return nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
}

void Http2Session::consume_unwanted(Http2Stream& stream, size_t bytes) {
  const size_t more = std::min<size_t>(bytes, stream.unwanted_left_);
  stream.unwanted_left_ -= static_cast<uint32_t>(more);
  if (more > 0) consume_stream(stream, more);
  consume_connection(bytes);
}

void Http2Session::consume_connection(size_t bytes) {
  nghttp2_session_consume_connection(session_.get(), bytes);
}

// --- What the client is sent.

size_t Http2Session::produce(char* out) {
  BERTH_DCHECK(!busy_);
  out_ = out;
  produced_ = 0;
  if (ends_new_streams_) submit_last_goaway();
  busy_ = true;
  while (produced_ < kEnough) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    if (size <= 0) {
      // Out of memory: what cannot be said is not waited for.
      if (size < 0) fail(CloseReason::NoLocalResources, Http2Error::NoError);
      break;
    }
    append(bytes, static_cast<size_t>(size));
  }
  busy_ = false;
  return produced_;
}

void Http2Session::append(const void* bytes, size_t size) {
  BERTH_CHECK(produced_ + size <= kRoom);
  std::memcpy(out_ + produced_, bytes, size);
  produced_ += size;
}

void Http2Session::write_data(Http2Stream& stream, const uint8_t* frame_header, size_t size) {
  constexpr size_t kFrameHeader = 9;
  meter_.sent_data();
  append(frame_header, kFrameHeader);
  size_t left = size;
  stream.out_.for_each_part([&](std::string_view part) {
    part = part.substr(0, left);
    append(part.data(), part.size());
    left -= part.size();
    return left > 0;
  });
  stream.out_.consume(size);
  stream.on_progress(size);
}

void Http2Session::send_interim(Http2Stream& stream, uint16_t status, const Http2Fields& fields) {
  std::array<char, 3> digits;
  const auto& pairs = response_fields(status, digits, fields);
  nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id_),
                         nullptr, pairs.data(), pairs.size(), nullptr);
}

void Http2Session::send_head(Http2Stream& stream, uint16_t status, const Http2Fields& fields,
                             bool complete) {
  BERTH_DCHECK(!stream.response_begun_);
  stream.response_begun_ = true;
  stream.response_ended_ = complete;
  std::array<char, 3> digits;
  const auto& pairs = response_fields(status, digits, fields);
  nghttp2_data_provider content{.source = {.ptr = &stream},
                                .read_callback = Callbacks::read_content};
  nghttp2_submit_response(session_.get(), static_cast<int32_t>(stream.id_), pairs.data(),
                          pairs.size(), complete ? nullptr : &content);
}

void Http2Session::send_content(Http2Stream& stream, std::string_view bytes, net::Scratch& scratch,
                                bool complete, std::string_view trailers) {
  if (scratch.gives(bytes)) {
    stream.out_.push(scratch.take(bytes));
  } else {
    stream.out_.append(bytes);
  }
  if (complete) {
    stream.response_ended_ = true;
    stream.trailers_ = trailers;
  }
  if (stream.waits_for_content_) {
    stream.waits_for_content_ = false;
    nghttp2_session_resume_data(session_.get(), static_cast<int32_t>(stream.id_));
  }
}

// RFC 9113 section 8.1: a response may come before its request is complete. The rest of that is not
// wanted, but to say so in the same write makes curl and Node forget the response.
void Http2Session::on_response_sent(Http2Stream& stream) {
  if (stream.after_response_ != Http2Error::NoError) {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id_),
                              static_cast<uint32_t>(stream.after_response_));
  } else if (!stream.request_ended_ && !stream.tunnel_) {
    stream.request_refused_ = true;
    stream.ended_early_ = true;
    stream.on_early_end();
  }
}

// curl 7.88 breaks off its upload when it has read the answer, and then waits for something to read
// before it sees that its own END_STREAM has closed the stream. Nobody answers to a window.
void Http2Session::wake_client() {
  nghttp2_submit_window_update(session_.get(), NGHTTP2_FLAG_NONE, 0, 1);
}

void Http2Session::end_request_early(Http2Stream& stream) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id_),
                            NGHTTP2_NO_ERROR);
}

void Http2Session::reset(Http2Stream& stream, Http2Error error) {
  stream.out_.clear();
  stream.request_refused_ = true;
  stream.reset_by_us_ = true;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id_),
                            static_cast<uint32_t>(error));
}

void Http2Session::forget(Http2Stream& stream) {
  nghttp2_session_set_stream_user_data(session_.get(), static_cast<int32_t>(stream.id_), nullptr);
  --streams_;
}

// --- The end.

void Http2Session::announce_end() {
  nghttp2_submit_shutdown_notice(session_.get());
}

void Http2Session::end_new_streams() {
  ends_new_streams_ = true;
}

// A client may send a request again elsewhere that the GOAWAY leaves out. So nothing may be served
// that comes between the choice of the last stream and its way to the client.
void Http2Session::submit_last_goaway() {
  ends_new_streams_ = false;
  const int32_t last = nghttp2_session_get_last_proc_stream_id(session_.get());
  last_stream_ = static_cast<uint32_t>(last);
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::terminate(Http2Error error) {
  nghttp2_session_terminate_session(session_.get(), static_cast<uint32_t>(error));
}

void Http2Session::ping() {
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
}

bool Http2Session::finished() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

}  // namespace berth::http
