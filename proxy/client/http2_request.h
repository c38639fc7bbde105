// One request over HTTP/2 and its response: a stream of an Http2Connection, with an Exchange of its
// own.
#pragma once

#include <cstdint>

#include "proxy/base/intrusive_list.h"
#include "proxy/client/pace.h"
#include "proxy/event/timer_queue.h"
#include "proxy/event/turn_queue.h"
#include "proxy/exchange/exchange.h"
#include "proxy/http/http2_session.h"

namespace berth::client {

class Http2Connection;
struct Http2RequestTag {};

// Owned by its Http2Connection, until its stream is closed. Thread: its worker's.
class Http2Request final : public event::Disposable,
                           public ListHook<Http2RequestTag>,
                           public http::Http2Stream,
                           private exchange::ClientStream,
                           private event::TimerHandler,
                           private event::TurnTask {
 public:
  explicit Http2Request(Http2Connection& connection);
  ~Http2Request() override;

  bool holds_connection() const { return exchange_.holds_connection(); }
  bool keeps_others_waiting() const { return exchange_.keeps_others_waiting(); }
  // Bytes of it that wait, in either direction.
  size_t buffered() const { return unsent() + exchange_.buffered() + early_.size(); }
  // Memory is short, and this is what holds most: 503, or the response breaks off.
  void end_for_memory();
  // There is memory again: soon, but not from within this call.
  void try_again();
  // The connection ends: gives everything back, counted and logged.
  void close(CloseReason reason) noexcept;
  // As Connection's.
  void on_new_limits(const config::Listener& before);

 private:
  // Where the request stands. Receiving: its content is still coming. Served: all of it is here.
  // Tunnel: an extended CONNECT that the server has accepted. Done: the exchange is over; what is
  // left of the response is on its way out.
  enum class State : uint8_t { Receiving, Served, Tunnel, Done };

  // http::Http2Stream
  void on_request(const http::RequestHead& head, size_t size, bool complete) override;
  void on_refused(Refusal reason, http::Method method, size_t size) override;
  void on_content(std::string_view bytes) override;
  void on_request_end(std::string_view trailers) override;
  void on_bad_content(Refusal reason) override;
  void on_early_end() override;
  void on_progress(size_t bytes) override;
  void on_closed() override;

  // exchange::ClientStream
  bool any_2xx_upgrades() const override { return asks_for_tunnel_; }
  void send_continue() override;
  void send_interim(const http::ResponseHead& head) override;
  void send_head(const exchange::ResponseStart& start) override;
  void send_body(std::string_view bytes, bool complete, std::string_view trailers) override;
  void send_local(const exchange::LocalResponse& response) override;
  void send_upgrade(const http::ResponseHead& head, std::string_view set_cookie) override;
  net::Address local_address() const override;
  size_t unsent() const override { return http::Http2Stream::unsent(); }
  uint64_t taken() const override;
  bool must_wait_for_memory() override;
  bool memory_refused() const override;
  void response_complete() override;
  void abort(CloseReason reason) override;
  void pause_request_body() override;
  void resume_request_body() override;

  void on_timer(event::Timer& timer) override;
  void run() override;  // end of turn: the exchange hears what it could not be told at once

  void begin_response(uint16_t status, const http::Http2Fields& fields, bool complete);
  void refuse_content(Refusal reason);
  void give_up(CloseReason reason, http::Http2Error error);
  void take_content(size_t size);
  void pass_on_early();
  bool waits_for_content() const { return state_ == State::Receiving && !paused_; }
  void expect_content();
  void watch();
  void record(uint16_t status);

  Http2Connection& connection_;
  exchange::Exchange exchange_;
  event::Timer timer_;
  net::Chain early_;  // a tunnel's bytes that came before the server had accepted it, and behind
  uint64_t received_ = 0;
  uint64_t content_received_ = 0;
  uint64_t sent_ = 0;
  uint64_t body_sent_ = 0;
  size_t withheld_ = 0;             // content that the stream's window is not given back for yet
  size_t withheld_connection_ = 0;  // nor the connection's
  TimePoint began_;
  Pace receiving_;  // the request's content
  Pace sending_;    // while bytes wait for the client's window
  int64_t began_wall_us_;
  const uint32_t number_;  // on its connection, from 1
  TimePoint ended_{};      // the response's last byte is framed, and the request is not whole
  http::Method method_ = http::Method::Other;
  State state_ = State::Receiving;
  uint16_t status_ = 0;
  bool asks_for_tunnel_ = false;
  bool client_done_ = false;  // a tunnel's: the client's END_STREAM
  bool end_told_ = false;     // and the exchange knows
  bool expects_continue_ = false;
  bool paused_ = false;  // the exchange takes no more content for now
  bool head_sent_ = false;
};

}  // namespace berth::client
