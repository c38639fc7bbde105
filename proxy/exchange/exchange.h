// One request and its response: routes it, gets it a connection, carries both directions, and
// decides what happens when something fails.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/base/local_ptr.h"
#include "proxy/event/turn_queue.h"
#include "proxy/exchange/access_record.h"
#include "proxy/exchange/client_stream.h"
#include "proxy/exchange/context.h"
#include "proxy/exchange/holders.h"
#include "proxy/exchange/request_body.h"
#include "proxy/exchange/request_head.h"
#include "proxy/exchange/retry_policy.h"
#include "proxy/exchange/tunnel.h"
#include "proxy/http/body.h"
#include "proxy/http/head.h"
#include "proxy/http/upgrade.h"
#include "proxy/net/byte_buffer.h"
#include "proxy/upstream/cluster.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/response_handler.h"
#include "proxy/upstream/waiter.h"

namespace berth::exchange {

// How far the request has got on its way to a server.
enum class RequestProgress : uint8_t {
  Receiving,  // its body is being collected, in memory or in a file; no connection is taken yet
  Waiting,    // for a connection
  Streaming,  // on a connection; the body goes through as it comes
  Sent,       // all of it has been given to the connection
};

// What it counts as in its upstream's retry budget.
enum class BudgetShare : uint8_t { None, Request, Retry };

// How far the response has got on its way to the client.
enum class ResponseProgress : uint8_t { None, Body, Tunnel, Complete };

// Owned by its client stream, which calls cancel() when the client goes, and destroys it at the end
// of a turn. Thread: the worker's.
class Exchange final : private upstream::ResponseHandler, private upstream::Waiter, private Holder {
 public:
  Exchange(Context& context, ClientStream& stream, const ClientFacts& client);
  ~Exchange();

  // The head and as much of the body as has come with it. `received_size`: of the head, in bytes.
  void start(const http::RequestHead& head, size_t received_size, std::string_view body,
             bool complete, std::string_view trailers);
  // More of the body; an upgraded connection's bytes. `complete`: that was all (upgraded: the
  // client's FIN).
  void on_request_body(std::string_view bytes, bool complete, std::string_view trailers);
  // The client has taken everything that it was sent.
  void on_response_drained();
  // What was held back because memory was short may go on.
  void on_memory();
  // Gives up: connection, place in the queue. Nothing is sent to the client any more.
  void cancel();

  // One of the pool's, for which others may be waiting. (A tunnel's is counted apart.)
  bool holds_connection() const { return lease_ && response_ != ResponseProgress::Tunnel; }
  // And for which others wait now.
  bool keeps_others_waiting() const;
  // Bytes of the request that wait, or are kept to be sent again.
  size_t buffered() const { return body_.buffered(); }
  bool response_started() const { return response_ != ResponseProgress::None; }
  std::string_view request_id() const { return request_.request_id; }
  // Of its route; nullptr: it has none.
  stats::RouteStats* route_stats() const { return target_.stats; }

  // Why it failed, if it did; for the log.
  void set_failure(CloseReason reason) {
    if (failure_ == CloseReason::None) failure_ = reason;
  }
  // Fills the record's upstream and request parts.
  void describe(AccessRecord& record) const;

 private:
  // Goes on with a file in the next turn.
  struct Feeder final : event::TurnTask {
    explicit Feeder(Exchange& of) : exchange(of) {}
    void run() override;
    Exchange& exchange;
  };

  // upstream::Waiter
  void on_lease(upstream::Lease lease, stats::AcquireSource source) override;
  void on_no_lease(Refusal reason, const upstream::SharedServer* server) override;
  std::string proxy_header(config::ProxyProtocol version) const override;
  // upstream::ResponseHandler
  void on_interim(const http::ResponseHead& head) override;
  void on_response(const http::ResponseHead& head, std::string_view body, bool complete) override;
  void on_upgraded(const http::ResponseHead& head) override;
  void on_body(std::string_view bytes, bool complete) override;
  void on_request_drained() override;
  void on_upstream_failed(const upstream::UpstreamFailure& failure) override;

  // Holder
  upstream::ServerPool* held_pool() const override;
  std::optional<uint64_t> moved() const override;
  void end_rest(Duration rested) override;

  // The request's body (exchange_body.cc)
  void begin_body(const http::RequestHead& head, std::string_view body);
  void collect(std::string_view bytes);
  void stream_from_here(std::string_view bytes);
  bool may_stream();
  uint64_t spool_limit() const;
  bool buffer_body(std::string_view bytes);
  bool body_waits() const;
  void give_up_body(Refusal reason);
  bool feeding() const { return body_.in_file() && body_.unread() > 0; }
  void feed(std::string_view head);
  bool pass_on(std::string_view head, std::string_view bytes);
  void stream_body(std::string_view bytes);
  void resume_client();
  void request_sent();

  void make_head(const http::RequestHead& head, size_t received_size);
  bool must_go_to_https(const http::RequestHead& head);
  const RequestFilter& filter() const;
  void take_trailers(std::string_view trailers);
  std::string_view response_trailers();
  void dispatch(std::string_view body);
  void acquire(std::string_view body);
  void begin_on(upstream::Lease lease, stats::AcquireSource source, std::string_view body);
  bool send_request(std::string_view body);
  void hold_back_server();
  void count_bodies();
  void finish_response();
  std::string own_cookie() const;
  bool retry(stats::RetryCause cause, bool waits);
  bool retry_unsent(ConnectFailure reason, const upstream::SharedServer& server);
  uint32_t most_attempts() const;
  bool some_server_left(const upstream::SharedServer* but) const;
  bool kills_servers(const upstream::UpstreamFailure& failure);
  void answer(Refusal reason, std::string_view location = {});
  Replayable replayable() const;
  bool keeps_body() const;
  bool streams() const { return body_mode_ == config::RequestBody::Stream; }
  bool request_buffer_full(size_t size) const;
  bool memory_is_short() const;

  Context& context_;
  ClientStream& stream_;
  const ClientFacts client_;
  LocalPtr<Router> router_;
  RouteTarget target_;
  std::unique_ptr<http::UpgradeOffer> upgrade_;  // what the client offers, if it does
  ForwardedHead request_;
  upstream::Lease lease_;
  upstream::TriedServers tried_;
  upstream::Affinity affinity_;

  http::Method method_ = http::Method::Other;
  config::RequestBody body_mode_ = config::RequestBody::Auto;
  RequestProgress progress_ = RequestProgress::Receiving;
  ResponseProgress response_ = ResponseProgress::None;
  bool over_tls_ = false;  // the client came; known where a cookie asks for it
  bool chunked_ = false;
  bool idempotent_ = false;
  bool body_complete_ = false;  // all of it has come from the client
  bool body_kept_ = true;       // body_ holds all that has come: it could be sent again
  bool client_paused_ = false;
  bool awaits_100_ = false;  // the client, from the server
  BudgetShare budget_share_ = BudgetShare::None;
  upstream::Freshness freshness_ = upstream::Freshness::Any;  // of the connection that it wants
  Tunnel tunnel_;                                             // once response_ is Tunnel
  CloseReason failure_ = CloseReason::None;
  std::string detail_;  // what was wrong with a malformed response

  RequestBody body_;            // what waits for a connection, or is kept for a replay
  uint64_t answered_ = 0;       // bytes of the response's body
  uint64_t received_ = 0;       // bytes of the body; of a tunnel too
  TimePoint began_{};           // that body
  upstream::Slot upload_slot_;  // to hold a connection while the body is still coming
  Feeder feeder_;
  std::string_view trailers_;  // of a chunked request, once complete
  std::string kept_trailers_;  // what trailers_ views; of the response, when that is complete

  // For the log.
  uint32_t attempts_ = 0;
  std::vector<FailedAttempt> failed_attempts_;  // a few, without those of the last one
  net::ConnectionId server_connection_;         // of the last attempt
  uint32_t server_connection_requests_ = 0;
  net::TlsTerms server_tls_;
  bool reused_ = false;
  std::optional<stats::AcquireSource> source_;
  const upstream::SharedServer* server_ = nullptr;
  const upstream::SharedServer* failed_on_ = nullptr;   // the server of the last failed attempt
  const upstream::SharedServer* died_of_it_ = nullptr;  // a server that ended over this request
  TimePoint asked_at_{};                                // for a connection
  TimePoint leased_at_{};
  TimePoint sent_at_{};      // the request was complete
  TimePoint answered_at_{};  // the response's head came
};

}  // namespace berth::exchange
