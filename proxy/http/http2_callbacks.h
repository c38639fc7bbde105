// nghttp2's callbacks, as static trampolines: what Http2Session hears from it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string_view>

#include "proxy/http/http2_session.h"

namespace berth::http {

inline nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

struct Http2Session::Callbacks {
  static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }
  static Http2Stream* stream_of(nghttp2_session* session, int32_t id) {
    return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* header, void* user);
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user);
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                       nghttp2_rcbuf* value, uint8_t, void* user);
  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data,
                     size_t size, void* user);
  static int on_close(nghttp2_session* session, int32_t id, uint32_t, void* user);
  static int on_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user);
  static ssize_t read_content(nghttp2_session* session, int32_t id, uint8_t*, size_t size,
                              uint32_t* flags, nghttp2_data_source* source, void*);
  static int write_data(nghttp2_session* session, nghttp2_frame* frame, const uint8_t* frame_header,
                        size_t size, nghttp2_data_source* source, void* user);
  static nghttp2_session_callbacks* make();
  static nghttp2_option* make_options();
};

}  // namespace berth::http
