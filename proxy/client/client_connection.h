// One client's HTTP/1 connection: reads requests, hands each to an Exchange, sends its response, in
// order.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>

#include "proxy/client/active_exchange.h"
#include "proxy/client/connection.h"
#include "proxy/event/timer_queue.h"
#include "proxy/event/turn_queue.h"
#include "proxy/exchange/client_stream.h"
#include "proxy/http/head_parser.h"
#include "proxy/net/send_queue.h"
#include "proxy/net/transport.h"

namespace berth::client {

// Thread: its worker's. An idle one costs this object and its transport, no buffer.
class ClientConnection final : public Connection,
                               private net::TransportHandler,
                               private event::TimerHandler,
                               private event::TurnTask,
                               private exchange::ClientStream {
 public:
  ClientConnection(ClientListener& listener, const net::Address& peer, const Birth& birth);
  ~ClientConnection() override;

  // Takes the transport, which reports to handler() from now on.
  void open(std::unique_ptr<net::Transport> transport);
  net::TransportHandler& handler() { return *this; }
  // Whatever the client wants: answered with the reason's status, then closed.
  void refuse_all(Refusal reason) { refuse(reason, 0); }

  bool has_input() const override { return readable_ || !in_.empty(); }
  void close(ClientClose reason) noexcept override;
  // Idle: closes, unless a request is here already, or may be on its way because the client has
  // only just connected. Busy: closes after the response.
  void drain() override;
  void on_new_limits(const config::Listener& before) override;

 private:
  // Events.
  void on_ready(net::Ready ready) override;
  void on_timer(event::Timer& timer) override;
  void run() override;  // end of turn: a write had failed, or there is more input at hand

  // exchange::ClientStream (client_response.cc)
  void send_continue() override;
  void send_interim(const http::ResponseHead& head) override;
  void send_head(const exchange::ResponseStart& start) override;
  void send_body(std::string_view bytes, bool complete, std::string_view trailers) override;
  void send_local(const exchange::LocalResponse& response) override;
  void send_upgrade(const http::ResponseHead& head, std::string_view set_cookie) override;
  net::Address local_address() const override { return transport_->local_address(); }
  size_t unsent() const override { return out_.size(); }
  uint64_t taken() const override;
  bool must_wait_for_memory() override { return keeper().must_wait(*this); }
  bool memory_refused() const override { return keeper().refuses(*this); }
  void response_complete() override;
  void abort(CloseReason reason) override;
  void pause_request_body() override;
  void resume_request_body() override;

  // net::MemoryAccount
  size_t memory_credit() const override;
  bool keeps_others_waiting() override;
  void end_largest() override;
  void on_memory() override;

  // Input (client_request.cc)
  void pump_input();
  void keep_input(std::string_view bytes);
  void note_next_request();
  void read_head();
  void parse_head(char* data, size_t size);
  void start_exchange(const http::RequestHead& head, size_t head_size, char* rest, size_t size);
  void open_exchange();
  void expect_body();
  void note_progress(size_t bytes);
  void read_body();
  bool decode_body(char* data, size_t size);
  void read_tunnel();
  void discard_input();
  void watch_for_abort();
  void on_client_end(bool reset);
  void refuse(Refusal reason, size_t received);
  bool begins_http2(std::string_view received) const;
  void go_on_as_http2(std::string_view received);
  void refuse_body(Refusal reason);

  // Output and the end.
  void write(const iovec* parts, int count);
  void write_head_and_body(std::string_view head, std::string_view body, bool complete,
                           std::string_view trailers);
  void flush();
  void expect_taking();
  void end_taking();
  Pace::Terms send_terms() const;
  void check_taking();
  void decide_keep_alive(bool delimited);
  std::string_view connection_fields() const;
  bool wants_hsts() const;
  void end_exchange();
  void record(uint16_t status) const;
  void after_response(CloseReason close_reason, bool body_left);
  void set_state(ClientState next);
  void arm(Duration after);
  void arm_at(TimePoint deadline);

  std::unique_ptr<net::Transport> transport_;
  std::unique_ptr<ActiveExchange> active_;
  event::Timer timer_;
  http::HeadProgress progress_;
  net::ByteBuffer in_;       // a head that has not come whole, or pipelined requests
  TimePoint waits_since_{};  // when the first byte of the next request came; {}: none has yet
  net::SendQueue out_{this};
  CloseReason pending_close_ = CloseReason::None;  // why, when lingering is over
  bool readable_ = false;  // the kernel may hold bytes that we have not read
  bool fin_seen_ = false;
  bool broken_ = false;  // a write has failed
  bool secure_ = false;  // over TLS
};

}  // namespace berth::client
