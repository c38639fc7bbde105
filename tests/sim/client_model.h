// A simulated client: it sends requests over one connection after the other, and checks every
// answer.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "tests/sim/answer_checks.h"
#include "tests/sim/message_reader.h"
#include "tests/sim/site.h"

namespace berth::sim {

class ClientModel final : private EndObserver {
 public:
  ClientModel(Site& site, uint32_t index);

  void start();
  // Nothing more to send, nothing more to wait for.
  bool done() const { return end_ == nullptr && requests_left_ == 0; }
  // What it is waiting for, in a word.
  std::string describe() const;
  const std::string& ip() const { return ip_; }
  // The proxy has ended its request: has it really moved so little for so long? `upload`: of what
  // it sends; otherwise of what it is sent.
  void check_rest(Duration rested, bool upload) const;
  // Bytes of its answer that the proxy has read and not written to it.
  uint64_t held_for_it() const;
  // For how long the proxy has neither read nor written any of its answer.
  Duration answer_rests_for() const;
  // The simulation ends: hangs up.
  void leave();

 private:
  struct Asked {
    RequestRecord* request;
    uint64_t begins = 0;  // in the stream of the connection
    uint64_t head_ends = 0;
    uint64_t ends = 0;
    TimePoint begun = TimePoint::max();  // its first byte has been sent
    bool complete = false;               // and its last
    bool waits_for_100 = false;
    std::string cookie;        // the sticky one that it carried
    bool idle_before = false;  // nothing else was on its way then
  };
  enum class Leaving : uint8_t { Politely, Stay, HalfClose, AbortFin, AbortRst };

  void on_edge(End& end) override;
  void connect();
  void pump();
  void ask();
  std::string compose(RequestRecord& request, Asked& asked);
  std::string compose_garbage(RequestRecord& request);
  void send();
  void note_sent();
  void receive();
  bool head_was_read() const;
  size_t take(std::string_view bytes);
  void on_response();
  void on_final(Message& response);
  void check_cookie(const Asked& asked, const Message& response);
  void begin_tunnel(const Message& response);
  void tunnel_bytes(std::string_view bytes);
  void on_end_of_stream(bool reset);
  void judge_end(bool reset);
  bool may_be_closed(const Asked& front) const;
  void finish_connection();
  void after_answer();
  void stall();
  void close_end(bool with_reset);
  void watch(uint64_t request);
  bool paced_writer() const { return slow_writer_ || crawls_; }
  bool paced_reader() const { return slow_reader_ || crawls_; }
  // Between two pieces.
  Duration breath() { return crawls_ ? dice_.between(50ms, 200ms) : dice_.between(0ms, 20ms); }

  Site& site_;
  uint32_t index_;
  Dice dice_;
  std::string ip_;
  std::map<std::string, std::string> cookies_;  // sticky ones, by host
  uint32_t requests_left_ = 0;
  bool http10_ = false;
  bool slow_reader_ = false;
  bool slow_writer_ = false;
  bool crawls_ = false;  // as a slow reader and writer, but much slower
  uint32_t depth_ = 1;

  // Of the connection.
  End* end_ = nullptr;
  uint32_t connections_ = 0;  // also: which connection a timer was meant for
  MessageReader reader_;
  std::deque<Asked> asked_;
  std::string outbox_;
  std::string held_back_;  // a body that waits for 100 (Continue)
  uint64_t queued_ = 0;    // bytes ever given to outbox_
  TimePoint heard_at_{};
  TimePoint opened_at_{};
  uint64_t asked_from_ = 0;  // what had been written to it when it asked, and nothing else was due
  uint64_t answer_begins_ = 0;  // in the stream of the connection
  uint32_t answered_ = 0;
  Leaving leaving_ = Leaving::Politely;
  uint32_t requests_here_ = 0;  // still to be sent on this connection
  bool announced_close_ = false;
  bool paused_ = false;  // between two requests
  bool write_paced_ = false;
  bool read_paced_ = false;
  bool shut_ = false;
  bool tunnel_ = false;
  bool stalled_ = false;  // for long, at least once
  AttemptRecord* tunnel_attempt_ = nullptr;
  uint64_t tunnel_got_ = 0;
};

}  // namespace berth::sim
