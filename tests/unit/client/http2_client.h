// A listener whose HTTP/2 clients are played by the test, frame by frame, in front of servers that
// it plays too.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/client/client_in_memory.h"
#include "tests/unit/http/http2_wire.h"

namespace berth::client {

namespace wire = http::wire;
using http::Http2Frame;

// TLS whose handshake is done before it begins, and which changes no byte.
class DoneTls final : public net::TlsAcceptor {
 public:
  std::unique_ptr<net::Transport> accept(std::unique_ptr<net::Transport> lower,
                                         net::TransportHandler& handler) const override;
};

class Http2Client : public ClientInMemory {
 protected:
  Http2Client() { listener_settings().http2.cleartext = true; }

  // A client connects; `bytes`: what it sends at once.
  void connect(std::string_view bytes = wire::hello());
  void connect_over_tls(std::string_view bytes = wire::hello());

  // Frames that the client has been sent since the last time.
  std::vector<wire::Frame> hear();
  // All frames heard, those of now included.
  const std::vector<wire::Frame>& heard_frames();
  const wire::Frame* find(Http2Frame type, uint32_t stream);
  size_t count(Http2Frame type, uint32_t stream);
  // The fields of a stream's first head: "name=value;"; "": none has come.
  std::string response(uint32_t stream);
  std::string content(uint32_t stream);
  // Of RST_STREAM or of the last GOAWAY; -1: none has come.
  int64_t reset_error(uint32_t stream);
  int64_t goaway_error();
  // How far the windows were opened again.
  uint64_t window_given(uint32_t stream);

 private:
  std::string unread_;
  std::vector<wire::Frame> frames_;
  std::vector<std::string> heads_;  // decoded, for each frame ("" for other frames)
  std::unique_ptr<wire::Decoder> decoder_;
};

}  // namespace berth::client
