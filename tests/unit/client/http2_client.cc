#include "tests/unit/client/http2_client.h"

namespace berth::client {

namespace {

class DoneTlsTransport final : public net::Transport {
 public:
  explicit DoneTlsTransport(std::unique_ptr<net::Transport> lower) : lower_(std::move(lower)) {
    security_.protocol = net::Security::Protocol::Http2;
    security_.peer_subject = "CN=someone";
  }

  net::IoResult read(char* into, size_t size) override { return lower_->read(into, size); }
  net::IoResult peek(char* into, size_t size) override { return lower_->peek(into, size); }
  net::IoResult write(const iovec* parts, int count) override {
    return lower_->write(parts, count);
  }
  void shutdown_write() override { lower_->shutdown_write(); }
  net::Probe probe() override { return lower_->probe(); }
  ConnectResult finish_connect() override { return {net::IoStatus::Ok, CloseReason::None}; }
  uint64_t bytes_acked() const override { return lower_->bytes_acked(); }
  const net::Security* security() const override { return &security_; }
  void hand_to(net::TransportHandler& handler) override { lower_->hand_to(handler); }
  void abort_on_close() override { lower_->abort_on_close(); }
  void detach() override { lower_->detach(); }

 private:
  std::unique_ptr<net::Transport> lower_;
  net::Security security_;
};

}  // namespace

std::unique_ptr<net::Transport> DoneTls::accept(std::unique_ptr<net::Transport> lower,
                                                net::TransportHandler& handler) const {
  lower->hand_to(handler);
  return std::make_unique<DoneTlsTransport>(std::move(lower));
}

void Http2Client::connect(std::string_view bytes) {
  unread_.clear();
  frames_.clear();
  heads_.clear();
  decoder_ = std::make_unique<wire::Decoder>();
  ClientInMemory::connect(bytes);
}

void Http2Client::connect_over_tls(std::string_view bytes) {
  listener().apply(std::make_shared<config::Listener>(listener_settings()),
                   std::make_shared<DoneTls>());
  connect(bytes);
}

std::vector<wire::Frame> Http2Client::hear() {
  unread_ += std::exchange(client().received, {});
  std::vector<wire::Frame> news = wire::frames(unread_);
  for (const wire::Frame& frame : news) {
    frames_.push_back(frame);
    heads_.push_back(frame.type == Http2Frame::Headers ? decoder_->read(frame.payload) : "");
  }
  return news;
}

const std::vector<wire::Frame>& Http2Client::heard_frames() {
  hear();
  return frames_;
}

const wire::Frame* Http2Client::find(Http2Frame type, uint32_t stream) {
  for (const wire::Frame& frame : heard_frames()) {
    if (frame.type == type && frame.stream == stream) return &frame;
  }
  return nullptr;
}

size_t Http2Client::count(Http2Frame type, uint32_t stream) {
  size_t times = 0;
  for (const wire::Frame& frame : heard_frames()) {
    times += frame.type == type && frame.stream == stream ? 1 : 0;
  }
  return times;
}

std::string Http2Client::response(uint32_t stream) {
  const wire::Frame* head = find(Http2Frame::Headers, stream);
  return head == nullptr ? "" : heads_[static_cast<size_t>(head - frames_.data())];
}

std::string Http2Client::content(uint32_t stream) {
  std::string out;
  for (const wire::Frame& frame : heard_frames()) {
    if (frame.type == Http2Frame::Data && frame.stream == stream) out += frame.payload;
  }
  return out;
}

int64_t Http2Client::reset_error(uint32_t stream) {
  const wire::Frame* frame = find(Http2Frame::RstStream, stream);
  return frame == nullptr ? -1 : int64_t{frame->number_at(0)};
}

int64_t Http2Client::goaway_error() {
  int64_t error = -1;
  for (const wire::Frame& frame : heard_frames()) {
    if (frame.type == Http2Frame::Goaway) error = int64_t{frame.number_at(4)};
  }
  return error;
}

uint64_t Http2Client::window_given(uint32_t stream) {
  uint64_t sum = 0;
  for (const wire::Frame& frame : heard_frames()) {
    if (frame.type == Http2Frame::WindowUpdate && frame.stream == stream) {
      sum += frame.number_at(0);
    }
  }
  return sum;
}

}  // namespace berth::client
