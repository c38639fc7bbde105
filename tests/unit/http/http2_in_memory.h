// An Http2Session with a client that the test plays, and streams that note what they are told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/http2_session.h"
#include "tests/unit/http/http2_wire.h"

namespace berth::http {

struct NotedStream final : Http2Stream {
  using Http2Stream::id;
  std::string method, target, host, fields, content, trailers;
  size_t size = 0;
  bool asked = false;
  bool complete = false;
  bool tunnel = false;
  bool chunked = false;
  bool closed = false;
  bool early_end = false;
  size_t progress = 0;
  CloseReason refused = CloseReason::None;
  CloseReason bad_content = CloseReason::None;

 private:
  void on_request(const RequestHead& head, size_t head_size, bool ends) override {
    EXPECT_FALSE(asked);
    asked = true;
    method = head.method_text;
    target = head.target;
    host = head.host;
    size = head_size;
    complete = ends;
    tunnel = head.summary.upgrade;
    chunked = head.summary.chunked;
    for (const HeaderField& field : head.fields) {
      if (field.hop_by_hop) continue;
      fields += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
  }
  void on_refused(Refusal reason, Method, size_t) override {
    EXPECT_FALSE(asked);
    refused = reason;
  }
  void on_content(std::string_view bytes) override {
    EXPECT_FALSE(complete);
    content += bytes;
  }
  void on_request_end(std::string_view lines) override {
    EXPECT_FALSE(complete);
    complete = true;
    trailers = lines;
  }
  void on_bad_content(Refusal reason) override {
    EXPECT_EQ(bad_content, CloseReason::None);
    bad_content = reason;
  }
  void on_early_end() override { early_end = true; }
  void on_progress(size_t bytes) override { progress += bytes; }
  void on_closed() override {
    EXPECT_FALSE(closed);
    closed = true;
  }
};

class Http2InMemory : public testing::Test, protected Http2Events {
 protected:
  void SetUp() override {
    Http2Events& events = *this;
    session_.emplace(limits, events, random_);
  }

  // The client sends, and reads what it is answered.
  void say(std::string_view bytes) {
    if (in_pieces) {
      for (const char byte : bytes) session().receive({&byte, 1}, now);
    } else {
      session().receive(bytes, now);
    }
    hear();
  }
  void hear() {
    while (produce_once() >= Http2Session::kEnough) {
    }
    for (wire::Frame& frame : wire::frames(unread_)) heard.push_back(std::move(frame));
    EXPECT_EQ(unread_, "");
  }
  // One round of output, which hear() then finds.
  size_t produce_once() {
    static char room[Http2Session::kRoom];
    const size_t size = session().produce(room);
    unread_.append(room, size);
    return size;
  }
  Http2Session& session() { return *session_; }

  NotedStream& stream(uint32_t id) {
    for (NotedStream& stream : streams) {
      if (stream.id() == id) return stream;
    }
    ADD_FAILURE() << "no stream " << id;
    return streams.front();
  }
  // The first frame of this kind and stream that has been heard, or nullptr.
  const wire::Frame* find(Http2Frame type, uint32_t stream) const {
    for (const wire::Frame& frame : heard) {
      if (frame.type == type && frame.stream == stream) return &frame;
    }
    return nullptr;
  }
  // The error of RST_STREAM or GOAWAY; -1: none was sent.
  int64_t reset_error(uint32_t stream) const {
    const wire::Frame* frame = find(Http2Frame::RstStream, stream);
    return frame == nullptr ? -1 : int64_t{frame->number_at(0)};
  }
  int64_t goaway_error() const {
    const wire::Frame* frame = find(Http2Frame::Goaway, 0);
    return frame == nullptr ? -1 : int64_t{frame->number_at(4)};
  }
  std::string content_heard(uint32_t id) const {
    std::string out;
    for (const wire::Frame& frame : heard) {
      if (frame.type == Http2Frame::Data && frame.stream == id) out += frame.payload;
    }
    return out;
  }
  void answer(uint32_t id, std::string_view content = "ok") {
    session().send_head(stream(id), 200, {{"Content-Type", "text/plain"}}, false);
    session().send_content(stream(id), content, scratch, true, {});
    hear();
  }

  Http2Stream& open_stream() override { return streams.emplace_back(); }
  void on_ping_answered() override { ++pings; }

  Http2Limits limits;
  TimePoint now{std::chrono::seconds(1000)};
  bool in_pieces = false;
  std::deque<NotedStream> streams;
  std::vector<wire::Frame> heard;
  wire::Decoder decoder;
  net::Scratch scratch;
  int pings = 0;

 private:
  Random random_{1};
  std::string unread_;
  std::optional<Http2Session> session_;
};

}  // namespace berth::http
