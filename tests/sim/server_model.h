// A simulated app server: Node as it is, and worse. It checks every request that reaches it.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "proxy/net/address.h"
#include "tests/sim/idle_closes.h"
#include "tests/sim/message_reader.h"
#include "tests/sim/server_sockets.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/site.h"

namespace berth::sim {

inline constexpr std::string_view kHealthPath = "/healthz";

class ServerModel;

class ServerConnection final : private EndObserver {
 public:
  ServerConnection(ServerModel& server, End& end);

  // The server's event loop runs again: looks at what has arrived meanwhile.
  void wake();
  // The process ends.
  void die(bool with_reset);
  bool open() const { return !end_.closed() && !said_fin_; }
  // A request whose body has to come: when a byte of it last came. TimePoint::max(): there is none.
  TimePoint rests_since() const;

  // Bytes of the proxy before the first request that this connection has not seen whole.
  uint64_t request_start() const { return request_start_; }
  uint64_t unsolicited_at() const { return unsolicited_at_; }
  Link& link() { return end_.link(); }

 private:
  enum class Then : uint8_t { KeepAlive, Close, CloseLater, Fin, Rst, Stall };

  void on_edge(End& end) override;
  void pump();
  void read_some();
  void on_request_head();
  void answer_check();
  void check_holder();
  void check_request_head(const Message& head);
  void check_last(const Message& head);
  void check_tls(const Message& head);
  void check_reuse();
  void check_learned(const Mark& heard, Duration idle);
  void check_idle_close();
  void check_unsolicited(const Mark& sent, Duration idle);
  void check_pace(uint64_t bytes, TimePoint since);
  void on_request_complete();
  void answer();
  void check_client_is_there();
  void speak();
  std::string compose(const Message& request, AttemptRecord& attempt);
  std::string connection_fields();
  void cut(std::string& text, size_t head_size, AttemptRecord& attempt);
  void say(std::string text);
  void flush();
  void said_all();
  void rest();
  void arm_keepalive();
  void keepalive_over();
  void speak_unasked();
  std::string unasked_response();
  void tunnel();
  void hang_up(bool with_reset);
  void on_half_close();
  void hang_up_within(Duration least, Duration most);
  void discard();

  ServerModel& server_;
  End& end_;
  Site& site_;
  Dice dice_;
  MessageReader reader_;
  RequestRecord* request_ = nullptr;
  AttemptRecord* attempt_ = nullptr;
  std::string outbox_;
  Then then_ = Then::KeepAlive;
  const TimePoint opened_;
  uint32_t served_ = 0;
  uint32_t timer_ = 0;  // which keep-alive timer counts
  uint64_t request_start_ = 0;
  TimePoint head_at_{};        // of the request
  TimePoint moved_at_{};       // its last byte so far came
  TimePoint spoke_at_{};       // the answer began
  TimePoint rests_at_{};       // it has become idle
  uint64_t answer_start_ = 0;  // in our stream
  uint64_t answer_end_ = 0;    // bytes of ours up to the end of the last answer
  uint64_t unsolicited_at_ = UINT64_MAX;
  uint64_t answer_stop_ = 0;  // where the answer is all said, in our stream
  uint64_t body_start_ = 0;   // of an answer until close
  uint64_t tunnel_got_ = 0;
  int hinted_ = -1;  // of the last answer
  int max_left_ = -1;
  bool answering_ = false;    // between a request's head and the end of its answer
  bool early_ = false;        // does not wait for the request's body
  bool body_done_ = false;    // of the request
  bool until_close_ = false;  // the answer's body
  bool paced_ = false;        // a timer will go on writing
  bool reading_paced_ = false;
  bool reads_slowly_ = false;
  bool over_ = false;  // nothing may be sent to us any more
  bool tunnel_ = false;
  bool tunnel_fin_first_ = false;
  bool asked_for_body_ = false;  // or nobody waits to be asked
  bool half_closed_ = false;     // the proxy's FIN has been seen to
  bool said_fin_ = false;        // we have sent ours, and go on reading
  bool asked_to_close_ = false;  // by the request, and does as it is asked
  bool checked_ = false;         // it was for a health check
};

class ServerModel {
 public:
  // `host`: whose requests it serves.
  ServerModel(Site& site, uint32_t index, std::string host, ServerManners manners);

  const net::Address& address() const { return address_; }
  const std::string& name() const { return name_; }
  uint32_t index() const { return index_; }  // also the last number of its address, less one
  const std::string& host() const { return host_; }
  const ServerManners& manners() const { return manners_; }
  Site& site() { return site_; }

  ConnectFate fate();
  // A connection stands: it is in the accept queue.
  void established(End& end);
  void restart(Duration down_for, bool with_reset);
  // Its event loop does something else for so long: it accepts, reads, answers and closes nothing.
  void sleep(Duration duration);
  bool asleep() const { return asleep_; }
  // A timer of the event loop: now, or as the first thing when it runs again.
  void when_awake(std::function<void()> what);
  OnHalfClose on_half_close() const { return on_half_close_; }
  // What its machine holds.
  ServerSockets::Count open_sockets() { return sockets_.open(); }
  // How often the proxy had been told before `when` that this server closes what is idle. (Closes
  // that come together are told once.)
  int64_t idle_closes_told(TimePoint when);
  IdleCloses& idle_closes() { return idle_closes_; }
  // The earliest of its connections'.
  TimePoint rests_since() const;
  bool up() const { return up_; }
  // What it says of its health.
  bool well() const { return well_; }
  void be_unwell(Duration duration);
  // The simulation ends: nothing is to be left.
  void close_all();

 private:
  Site& site_;
  uint32_t index_;
  std::string host_;
  ServerManners manners_;
  std::string name_;
  net::Address address_;
  Dice dice_;
  void accept_all();
  void wake(uint32_t sleep);

  OnHalfClose on_half_close_;
  ServerSockets sockets_;
  IdleCloses idle_closes_;
  std::deque<ServerConnection> connections_;
  std::vector<std::function<void()>> due_;  // timers that were due during a sleep
  bool up_ = true;
  bool well_ = true;
  bool asleep_ = false;
  uint32_t sleeps_ = 0;
};

}  // namespace berth::sim
