#include "proxy/http/http2_callbacks.h"

#include <algorithm>
#include <new>
#include <vector>

#include "proxy/http/list.h"

namespace berth::http {

namespace {

std::string_view text_of(nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

bool ends_stream(const nghttp2_frame_hd& header) {
  return (header.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

// Decoding goes on when the head is too large already, to keep HPACK's state; not for ever.
constexpr size_t kDecodedPerHead = 8;

}  // namespace

// Not called for frames that nghttp2 ignores, such as DATA for a stream that is over.
int Http2Session::Callbacks::on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* header,
                                            void* user) {
  if (header->type == NGHTTP2_DATA) self(user).dead_content_.live(header->length);
  return 0;
}

int Http2Session::Callbacks::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame,
                                              void* user) {
  Http2Session& at = self(user);
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    at.head_.begin(at.limits_);
  } else {
    at.trailers_.begin();
  }
  return 0;
}

int Http2Session::Callbacks::on_header(nghttp2_session*, const nghttp2_frame* frame,
                                       nghttp2_rcbuf* name, nghttp2_rcbuf* value, uint8_t,
                                       void* user) {
  Http2Session& at = self(user);
  size_t decoded;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    at.head_.add(text_of(name), text_of(value));
    decoded = at.head_.decoded();
  } else {
    at.trailers_.add(text_of(name), text_of(value));
    decoded = at.trailers_.decoded();
  }
  if (decoded <= kDecodedPerHead * at.limits_.max_head) return 0;
  at.fail(CloseReason::HeaderFlood, Http2Error::EnhanceYourCalm);
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Http2Session::Callbacks::on_frame(nghttp2_session* session, const nghttp2_frame* frame,
                                      void* user) {
  Http2Session& at = self(user);
  const nghttp2_frame_hd& header = frame->hd;
  Http2Stream* stream = stream_of(session, header.stream_id);
  switch (header.type) {
    case NGHTTP2_HEADERS:
      if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        if (stream != nullptr) at.end_trailers(*stream, ends_stream(header));
        return 0;
      }
      if (static_cast<uint32_t>(header.stream_id) > at.last_stream_) {
        // The GOAWAY that says so still waits in our output.
        at.head_.clear();
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, header.stream_id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
      }
      stream = &at.events_.open_stream();
      stream->id_ = static_cast<uint32_t>(header.stream_id);
      nghttp2_session_set_stream_user_data(session, header.stream_id, stream);
      ++at.streams_;
      at.end_head(*stream, ends_stream(header));
      return 0;
    case NGHTTP2_DATA:
      if (stream != nullptr && ends_stream(header)) at.end_request(*stream);
      return 0;
    case NGHTTP2_RST_STREAM:
      if (stream != nullptr) stream->reset_by_client_ = true;
      return 0;
    case NGHTTP2_SETTINGS:
      if ((header.flags & NGHTTP2_FLAG_ACK) != 0) at.settings_acknowledged_ = true;
      return 0;
    case NGHTTP2_PING:
      if ((header.flags & NGHTTP2_FLAG_ACK) != 0) at.events_.on_ping_answered();
      return 0;
    default:
      return 0;
  }
}

int Http2Session::Callbacks::on_data(nghttp2_session* session, uint8_t, int32_t id,
                                     const uint8_t* data, size_t size, void* user) {
  Http2Session& at = self(user);
  Http2Stream* stream = stream_of(session, id);
  if (stream != nullptr && !stream->request_refused_) {
    at.take_content(*stream, {reinterpret_cast<const char*>(data), size});
  } else {
    if (stream != nullptr) {
      at.consume_unwanted(*stream, size);
    } else {
      nghttp2_session_consume_connection(session, size);
    }
  }
  return 0;
}

int Http2Session::Callbacks::on_close(nghttp2_session* session, int32_t id, uint32_t, void* user) {
  Http2Stream* stream = stream_of(session, id);
  if (stream == nullptr) return 0;
  nghttp2_session_set_stream_user_data(session, id, nullptr);
  --self(user).streams_;
  if (!stream->request_ended_) self(user).dead_content_.stream_ended_early();
  stream->on_closed();
  return 0;
}

int Http2Session::Callbacks::on_sent(nghttp2_session* session, const nghttp2_frame* frame,
                                     void* user) {
  Http2Session& at = self(user);
  const nghttp2_frame_hd& header = frame->hd;
  Http2Stream* stream = stream_of(session, header.stream_id);
  switch (header.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      if (stream != nullptr && ends_stream(header)) at.on_response_sent(*stream);
      return 0;
    case NGHTTP2_RST_STREAM: {
      const bool ours = stream != nullptr && stream->reset_by_us_;
      if (ours || frame->rst_stream.error_code == NGHTTP2_NO_ERROR) return 0;
      if (stream != nullptr) stream->reset_by_client_ = true;
      const CloseReason flood = at.meter_.take_provoked_reset(at.now_);
      if (flood != CloseReason::None) at.fail(flood, Http2Error::EnhanceYourCalm);
      return 0;
    }
    case NGHTTP2_GOAWAY:
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        at.fail(CloseReason::Http2Error, Http2Error::NoError);
      }
      return 0;
    default:
      return 0;
  }
}

ssize_t Http2Session::Callbacks::read_content(nghttp2_session* session, int32_t id, uint8_t*,
                                              size_t size, uint32_t* flags,
                                              nghttp2_data_source* source, void*) {
  if (stream_of(session, id) == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  Http2Stream& stream = *static_cast<Http2Stream*>(source->ptr);
  if (stream.out_.empty() && !stream.response_ended_) {
    stream.waits_for_content_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  size = std::min(size, stream.out_.size());
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!stream.response_ended_ || size < stream.out_.size()) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (stream.trailers_.empty()) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  std::vector<nghttp2_nv> fields;
  for (std::string_view rest = stream.trailers_; !rest.empty();) {
    const size_t end = rest.find("\r\n");
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
    const std::string_view name = next_part(line, ':');
    fields.push_back(pair_of(name, trim(line)));
  }
  nghttp2_submit_trailer(session, id, fields.data(), fields.size());
  return static_cast<ssize_t>(size);
}

int Http2Session::Callbacks::write_data(nghttp2_session* session, nghttp2_frame* frame,
                                        const uint8_t* frame_header, size_t size,
                                        nghttp2_data_source* source, void* user) {
  Http2Session& at = self(user);
  if (stream_of(session, frame->hd.stream_id) == nullptr) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  at.write_data(*static_cast<Http2Stream*>(source->ptr), frame_header, size);
  // Enough ends here and not before the next frame: a frame whose length is settled has to be
  // written before the stream can be reset.
  return at.produced_ >= kEnough ? NGHTTP2_ERR_PAUSE : 0;
}

nghttp2_session_callbacks* Http2Session::Callbacks::make() {
  nghttp2_session_callbacks* made = nullptr;
  if (nghttp2_session_callbacks_new(&made) != 0) throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_begin_frame_callback(made, on_begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback2(made, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent);
  nghttp2_session_callbacks_set_send_data_callback(made, write_data);
  return made;
}

nghttp2_option* Http2Session::Callbacks::make_options() {
  nghttp2_option* made = nullptr;
  if (nghttp2_option_new(&made) != 0) throw std::bad_alloc();
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_no_http_messaging(made, 1);  // http2_head.h
  nghttp2_option_set_no_closed_streams(made, 1);
  // http2_meter.h bounds them by their bytes.
  constexpr size_t kNoLimit = 100'000;
  nghttp2_option_set_max_continuations(made, kNoLimit);
  return made;
}

}  // namespace berth::http
