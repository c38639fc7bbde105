// One connection to an app server: the HTTP/1.1 client side of the codec, and the keep-alive rules.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "proxy/base/intrusive_list.h"
#include "proxy/config/upstream.h"
#include "proxy/event/timer_queue.h"
#include "proxy/event/turn_queue.h"
#include "proxy/http/body.h"
#include "proxy/http/head_parser.h"
#include "proxy/http/upgrade.h"
#include "proxy/net/send_queue.h"
#include "proxy/net/transport.h"
#include "proxy/net/worker_env.h"
#include "proxy/stats/stats.h"
#include "proxy/upstream/backoff.h"
#include "proxy/upstream/draining_connection.h"
#include "proxy/upstream/keepalive_limit.h"
#include "proxy/upstream/response_handler.h"
#include "proxy/upstream/slot.h"

namespace berth::upstream {

class ServerPool;
class Waiter;
struct PoolTag {};

// A connection that has closed may live on as a DrainingConnection, until the server lets go.
enum class ConnectionState : uint8_t { Connecting, Idle, Busy, Upgraded, Closed };

// What the server has told us of its side of the connection.
enum class ServerEnd : uint8_t { Open, Fin, Gone };

// The way to the server. None: between requests. Sending: more of the request may come. Sent: all
// of it has been given to us. Tunnel: after 101. TunnelEnded: its client has shut down its side.
// Broken: a write has failed; BrokenAfterFin: behind the server's FIN, which is still to be read.
enum class RequestSide : uint8_t {
  None,
  Sending,
  Sent,
  Tunnel,
  TunnelEnded,
  Broken,
  BrokenAfterFin,
};

// The response. Awaited: no byte has arrived. Head: part of the head, or an interim response, has.
// A tunnel counts as a Body, which the server's FIN ends.
enum class ResponseSide : uint8_t { None, Awaited, Head, Body, Done };

// Thread: its worker's; an idle one can move to another worker (ServerPool::hand_over).
// Owned by its ServerPool; used through a Lease.
class UpstreamConnection final : public event::Disposable,
                                 public ListHook<PoolTag>,
                                 private net::TransportHandler,
                                 private event::TimerHandler,
                                 private event::TurnTask {
 public:
  UpstreamConnection(ServerPool& pool, Slot slot);
  ~UpstreamConnection() override;

  ConnectionState state() const { return state_; }

  // --- For the Exchange, through its Lease.

  struct Request {
    http::Method method = http::Method::Get;
    const http::UpgradeOffer* upgrade = nullptr;  // 101 is welcome; lives as long as the lease
    bool prove_fin = false;  // a failure is to say whether the server ever acknowledged a byte
  };
  // False if `upgrade` and max_upgraded are upgraded already; nothing has happened then.
  bool begin(const Request& request, ResponseHandler& handler);
  // Sends behind what is queued. False if the connection is broken: on_upstream_failed() follows at
  // the end of the turn, never from within this call (the server may have answered before it hung
  // up: that is read first).
  bool send(const iovec* parts, int count);
  // True if this request is the connection's last, which is known beforehand. It is to be sent with
  // Connection: close, so that the server is the one that closes.
  bool last_request() const { return last_reason_ != CloseReason::None; }
  // Nothing more will be sent for this request.
  void request_complete();
  // An upgraded connection's client has shut down its side.
  void shutdown_write();
  size_t unsent() const { return out_.size(); }
  // Of a complete chunked response; valid until the lease ends.
  std::string_view trailers() const { return body_.trailers(); }
  // Back-pressure: no on_body() until resume().
  void pause();
  void resume();
  bool paused() const { return paused_; }
  bool reused() const { return requests_ > 1; }
  uint32_t requests() const { return requests_; }
  net::ConnectionId id() const { return id_; }
  net::TlsTerms tls_terms() const {
    const net::Security* const security = transport_->security();
    return security != nullptr ? security->terms : net::TlsTerms{};
  }
  ServerPool& pool() { return *pool_; }
  void give_back(CloseReason why_unfit);

  // --- For the ServerPool.

  // None, or why connecting could not even begin; then the connection is closed.
  CloseReason connect(Waiter* waiter, Trial trial);
  void abandon_connect() { waiter_ = nullptr; }
  // Idle, within its limits and, if idle for long, still open as far as the kernel knows. Otherwise
  // closes itself.
  bool check_fresh();
  // An idle one goes to a request: Busy.
  void lease_out();
  // Idle: leaves this worker with all that belongs to it, and joins another.
  void leave_worker();
  void join_worker(ServerPool& pool);
  // Between two workers: there is no pool that it could join. Gives up what it consists of.
  ClosingConnection dismantle(UpstreamClose reason);
  // The upstream has other settings than `before`: what lies idle beyond the new limits closes;
  // what runs against a timeout runs against the new one, from when it began.
  void on_new_limits(const config::Upstream& before);
  // Ends the connection for us; the first reason wins. Unless the server has hung up already, it
  // drains: the pool keeps the slot until the server has let go. What a tunnel's client has said to
  // its end is still sent.
  void close(UpstreamClose reason) noexcept;
  // The counter that its slot belongs to.
  bool holds_slot_of(const SlotCounter& counter) const { return slot_.belongs_to(counter); }
  // It is being made, and nobody waits for it.
  bool warming() const { return state_ == ConnectionState::Connecting && waiter_ == nullptr; }
  TimePoint idle_since() const { return idle_since_; }
  // True when three quarters of the idle limit have passed: requests that must not be replayed
  // avoid it.
  bool in_last_quarter() const;

 private:
  void on_ready(net::Ready ready) override;
  void on_timer(event::Timer& timer) override;
  void run() override;  // end of turn: a write had failed, or there is more to read

  void set_state(ConnectionState next);
  void set_request(RequestSide next);
  void set_response(ResponseSide next);
  void finish_connect(net::Ready ready);
  void connect_failed(ConnectFailure reason, std::string_view detail = {});
  void check_idle();
  void flush();
  void count_sent(size_t bytes);
  void on_write_broken();
  void read_response();
  void process(char* data, size_t size);
  bool process_head(char*& data, size_t& size);
  void process_final_head(char* data, size_t size);
  void process_body(char* data, size_t size);
  void on_end(bool reset);
  ConnectFailure why_it_speaks_first();
  void fail_as_reset();
  void fail(UpstreamClose reason, bool eof = false, std::string_view detail = {});
  void park();
  UpstreamClose why_idle_for_too_long() const;
  void set_idle_limit();
  bool test_what_was_learned();
  std::optional<Duration> patience(const config::Upstream& limits) const;
  void arm_timer();
  std::optional<UpstreamClose> why_not_reusable() const;
  CloseReason why_last_request() const;
  CloseReason why_unfit_after(const http::ResponseHead& head,
                              const http::BodyFraming& framing) const;
  bool awaits_head() const {
    return response_ == ResponseSide::Awaited || response_ == ResponseSide::Head;
  }
  // All of the request is with us, or was before a write failed.
  bool request_given() const { return sent_at_ != TimePoint{}; }
  bool write_broken() const {
    return request_ == RequestSide::Broken || request_ == RequestSide::BrokenAfterFin;
  }
  bool leased_as(uint32_t request) const { return handler_ != nullptr && requests_ == request; }

  ServerPool* pool_;
  const net::ConnectionId id_;
  Slot slot_;
  Slot upgrade_slot_;  // held from begin() for a request that may upgrade
  std::unique_ptr<net::Transport> transport_;
  Waiter* waiter_ = nullptr;            // Connecting, if somebody still waits
  Trial trial_;                         // Connecting, to find out whether the server is back
  ResponseHandler* handler_ = nullptr;  // while leased out and begun
  event::Timer timer_;

  ConnectionState state_ = ConnectionState::Connecting;
  RequestSide request_ = RequestSide::None;
  ResponseSide response_ = ResponseSide::None;
  http::Method method_ = http::Method::Get;
  const http::UpgradeOffer* upgrade_wanted_ = nullptr;
  bool readable_ = false;  // the kernel may hold bytes that we have not read
  bool paused_ = false;    // by the exchange
  ServerEnd server_end_ = ServerEnd::Open;
  CloseReason last_reason_ = CloseReason::None;  // of a connection whose last request is under way
  CloseReason unfit_ = CloseReason::None;        // for another request: what the response says
  uint8_t interims_ = 0;
  uint16_t status_ = 0;  // of the response
  uint8_t jitter_;       // of the limits on requests and age: this many 1024ths less
  int32_t hinted_timeout_ = -1;
  int32_t hinted_max_ = -1;
  uint32_t requests_ = 0;
  uint64_t accepted_ = 0;  // bytes of this request that the kernel took
  uint64_t acked_before_ = UINT64_MAX;
  IdleLimit idle_limit_;
  TimePoint opened_{};
  TimePoint ready_at_{};  // when bytes last came
  TimePoint idle_since_{};
  TimePoint leased_at_{};
  TimePoint sent_at_{};  // when all of the request had been given to us; {}: not yet
  http::HeadProgress progress_;
  http::BodyDecoder body_;
  net::ByteBuffer head_bytes_;  // a head that has not come whole yet
  net::SendQueue out_;
};

}  // namespace berth::upstream
