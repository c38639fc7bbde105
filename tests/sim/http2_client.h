// A simulated HTTP/2 client, on nghttp2: many requests at a time over one connection after the
// other.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "tests/sim/answer_checks.h"
#include "tests/sim/message_reader.h"
#include "tests/sim/site.h"

struct nghttp2_session;

namespace berth::sim {

class Http2Client final : private EndObserver {
 public:
  Http2Client(Site& site, uint32_t index);
  ~Http2Client();

  void start();
  bool done() const { return end_ == nullptr && requests_left_ == 0; }
  std::string describe() const;

 private:
  struct Asked {
    RequestRecord* request = nullptr;
    int32_t stream = 0;
    std::string body;  // to be sent
    size_t sent = 0;
    Message response;
    TimePoint asked_at{};
    bool final_head = false;
    bool complete = false;   // the response
    bool cancelled = false;  // by the client
    bool over = false;
    bool tunnel = false;               // the server has accepted it
    AttemptRecord* attempt = nullptr;  // a tunnel's
    bool idle_before = false;
    Duration idle_for{};
  };
  struct Callbacks;
  struct Delete {
    void operator()(nghttp2_session* session) const;
  };

  void on_edge(End& end) override;
  void connect();
  void pump();
  void open_window_later();
  void ask();
  void ask_one();
  bool tunnels_allowed() const;
  ssize_t read_body(Asked& asked, uint8_t* into, size_t size, uint32_t& flags);
  ssize_t read_tunnel(Asked& asked, uint8_t* into, size_t size, uint32_t& flags);
  void begin_tunnel(Asked& asked);
  void judge_tunnel(const Asked& asked, uint32_t error);
  void send();
  void receive();
  void on_over(Asked& asked, uint32_t error);
  AnswerChecks checks() const;
  bool may_be_lost(const Asked& asked) const;
  void on_end_of_stream(bool reset);
  void after_answers();
  void close_end(bool with_reset);
  size_t open_streams() const;

  Site& site_;
  uint32_t index_;
  Dice dice_;
  std::string ip_;
  uint32_t requests_left_;
  uint32_t depth_;  // requests at a time
  uint32_t window_;

  // Of the connection.
  End* end_ = nullptr;
  uint32_t connections_ = 0;  // also: which connection a timer was meant for
  std::unique_ptr<nghttp2_session, Delete> session_;
  std::deque<Asked> asked_;
  std::string outbox_;
  TimePoint idle_since_{};
  TimePoint heard_at_{};
  uint32_t requests_here_ = 0;  // still to be asked on this connection
  bool goaway_ = false;
  bool stays_ = false;
};

}  // namespace berth::sim
