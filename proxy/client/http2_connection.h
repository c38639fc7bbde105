// One client's HTTP/2 connection: many requests at a time, each with its own Exchange.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "proxy/base/owning_list.h"
#include "proxy/client/connection.h"
#include "proxy/client/http2_request.h"
#include "proxy/event/timer_queue.h"
#include "proxy/event/turn_queue.h"
#include "proxy/http/http2_session.h"
#include "proxy/net/send_queue.h"
#include "proxy/net/transport.h"

namespace berth::client {

// Thread: its worker's. What its requests send in a turn goes out with one write at the turn's end.
// An idle one costs this object, the session and its transport, no buffer.
// Its end is GOAWAY in two steps with a PING between them: what the client sent before it had heard
// is served. One that has had its requests, or its time, ends when it is idle, at the latest when
// it has had twice as much.
class Http2Connection final : public Connection,
                              private net::TransportHandler,
                              private event::TimerHandler,
                              private event::TurnTask,
                              private http::Http2Events {
 public:
  // `secure`: over TLS.
  Http2Connection(ClientListener& listener, const net::Address& peer, const Birth& birth,
                  bool secure);
  ~Http2Connection() override;

  // Takes the transport, which reports to handler() from now on. `received`: what has come already.
  void open(std::unique_ptr<net::Transport> transport, std::string_view received);
  net::TransportHandler& handler() { return *this; }

  bool has_input() const override { return readable_; }
  void close(ClientClose reason) noexcept override;
  // GOAWAY: the requests under way are served, and those that the client sent before it knew.
  void announce_end() override;
  void drain() override;
  void on_new_limits(const config::Listener& before) override;

  // --- For its requests.
  http::Http2Session& session() { return session_; }
  exchange::ClientFacts facts();
  net::Address local_address() const { return transport_->local_address(); }
  const net::Security* security() const { return transport_->security(); }
  // Strict-Transport-Security, where it is to be sent; "": nowhere.
  std::string_view hsts() const;
  // Something is to be sent: at the end of the turn.
  void wake();
  // A stream has much to send: now, if it can be.
  void flush();
  void on_request_over(Http2Request& request);
  // Bytes that the client has received, as far as the kernel knows.
  uint64_t taken() const;
  // The client does not take what it is sent.
  bool blocked() const { return !out_.empty(); }
  bool must_wait_for_memory() { return keeper().must_wait(*this); }
  bool memory_refused() const { return keeper().refuses(*this); }

 private:
  // What comes next when the listener or the connection's age asks for its end (RFC 9113
  // section 6.8).
  enum class Goaway : uint8_t { None, Announced, Final };

  void on_ready(net::Ready ready) override;
  void on_timer(event::Timer& timer) override;
  void run() override;
  http::Http2Stream& open_stream() override;
  void on_ping_answered() override;

  // net::MemoryAccount
  size_t memory_credit() const override;
  bool keeps_others_waiting() override;
  void end_largest() override;
  void on_memory() override;

  void pump_input();
  void receive(std::string_view bytes);
  void discard_input();
  void look_at_age();
  bool to_be_replaced() const { return replace_ != CloseReason::None && goaway_ == Goaway::None; }
  void end_gracefully(CloseReason reason);
  void finish_goaway();
  void end_requests(CloseReason reason);
  void after_output();
  void linger(ClientClose reason);
  void set_state(ClientState next);
  void arm(Duration after);
  void expect_taking();
  void end_taking();
  Pace::Terms send_terms();
  void check_taking();

  std::unique_ptr<net::Transport> transport_;
  http::Http2Session session_;
  OwningList<Http2Request, Http2RequestTag> open_;
  event::Timer timer_;  // keep-alive, sending, lingering: whichever the state has
  event::Timer guard_;  // a header block, or the answer to our SETTINGS
  event::Timer goaway_timer_;
  net::SendQueue out_{this};
  Pace sending_;                             // while out_ holds something
  std::optional<uint64_t> taken_before_;     // at the last look at a client that is slow
  uint64_t passed_on_ = 0;                   // to the kernel, when out_ had to wait
  uint64_t sent_ = 0;                        // bytes, those in out_ included
  CloseReason replace_ = CloseReason::None;  // old enough to end in the next pause, and why
  TimePoint replace_since_{};
  CloseReason ending_ = CloseReason::None;  // why it ends, when the last request is over
  Goaway goaway_ = Goaway::None;
  const bool secure_;
  uint64_t discarded_ = 0;  // while lingering
  bool readable_ = false;
  bool fin_seen_ = false;
  bool broken_ = false;  // a write has failed
};

}  // namespace berth::client
