// A TCP connection in memory: two ends, each with what has arrived for it, what is on its way, and
// a window.
//
// As on Linux: bytes arrive in order after a delay; an end that has been reset still yields what
// had arrived before; the error is told once, by whichever call comes first (behind a FIN only to
// those who write); data for a closed end is answered with RST; closing with unread data sends RST;
// what is acknowledged is known only when the peer's segment with the acknowledgement has arrived.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/world.h"

namespace berth::sim {

class End;
class Link;

// How a connection's network behaves.
struct LinkManners {
  Duration least_delay{};
  Duration most_delay{};
  uint32_t window = 65536;     // bytes on their way or unread, each direction
  uint32_t short_percent = 0;  // writes that are cut short although there is room
  bool acks_known = true;      // false: a Unix socket
};

// Whoever uses one end of a connection.
class EndObserver {
 public:
  // Something has changed: bytes, FIN or RST have arrived, or there is room again.
  virtual void on_edge(End& end) = 0;

 protected:
  ~EndObserver() = default;
};

class End {
 public:
  enum class Got : uint8_t { Bytes, Nothing, Fin, Error };
  struct Read {
    Got what = Got::Nothing;
    size_t bytes = 0;
  };

  void observe(EndObserver* observer) { observer_ = observer; }
  Link& link() { return *link_; }
  int side() const { return side_; }

  // Bytes taken; 0 with error set if the connection is gone.
  size_t write(std::string_view bytes, bool& error);
  Read read(char* into, size_t size);
  // All that has arrived, without copying it.
  std::string_view unread() const { return {in_.data() + in_read_, in_arrived_ - in_read_}; }
  void consume(size_t bytes);
  void shut_down();  // FIN behind what is on its way
  void close();      // FIN, or RST if something is unread
  void reset();      // RST now
  bool closed() const { return closed_; }
  bool shut() const { return fin_sent_; }
  bool rst_sent() const { return rst_sent_; }

  bool fin_arrived() const { return fin_arrived_; }
  bool rst_arrived() const { return rst_arrived_; }
  bool rst_untold() const { return rst_untold_ && !fin_arrived_; }
  void tell_rst() { rst_untold_ = false; }
  bool has_room() const;
  uint64_t read_total() const { return read_base_ + in_read_; }
  uint64_t written_total() const { return written_; }
  uint64_t acked() const { return acked_; }
  uint64_t arrived_total() const { return read_base_ + in_arrived_; }

 private:
  friend class Link;
  void edge() {
    if (observer_ != nullptr) observer_->on_edge(*this);
  }
  void send_segment(size_t bytes, bool fin, bool rst);
  void arrive(size_t bytes, bool fin, bool rst, uint64_t acks);
  size_t pending() const { return in_.size() - in_read_; }
  End& peer();
  void acknowledge();

  Link* link_ = nullptr;
  EndObserver* observer_ = nullptr;
  int side_ = 0;
  std::string in_;  // [0, in_read_) used, [.., in_arrived_) here, the rest on its way
  size_t in_read_ = 0;
  size_t in_arrived_ = 0;
  uint64_t read_base_ = 0;  // of what has been cut off the front of in_
  uint64_t written_ = 0;
  uint64_t acked_ = 0;
  TimePoint last_arrival_{};  // of what this end has sent: segments stay in order
  bool wants_room_ = false;
  bool fin_sent_ = false;
  bool closed_ = false;
  bool rst_sent_ = false;
  bool fin_arrived_ = false;
  bool rst_arrived_ = false;
  bool rst_untold_ = false;
};

// When the proxy's end came past which byte. `order`: before or after another mark of the same
// moment.
struct Mark {
  uint64_t upto = 0;
  TimePoint at{};
  uint64_t order = 0;
};

// The first mark that comes up to there; nullptr if none does.
const Mark* passing(const std::vector<Mark>& marks, uint64_t upto);

class Link {
 public:
  Link(World& world, uint32_t serial, LinkManners manners);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  End& near() { return ends_[0]; }  // the proxy's
  End& far() { return ends_[1]; }   // the client's or the server's
  uint32_t serial() const { return serial_; }
  const LinkManners& manners() const { return manners_; }
  World& world() { return world_; }
  // A delay, its own for each connection: what happens on one does not change the chance of
  // another.
  Duration delay() { return dice_.between(manners_.least_delay, manners_.most_delay); }
  // The server has switched protocols at this byte of its stream.
  void upgrade_at(uint64_t byte) { upgrade_at_ = byte; }
  // The proxy has read as far, and not only to throw it away.
  bool upgraded() const { return upgraded_; }
  void note_read() {
    if (ends_[0].read_total() >= upgrade_at_ && !ends_[0].shut()) upgraded_ = true;
  }

  void mark(std::vector<Mark>& marks, uint64_t upto) {
    marks.push_back({upto, world_.now(), ++marked_});
  }
  // The server has closed it between two requests.
  bool closed_idle = false;
  bool closed_by_timer = false;  // its keep-alive timer
  TimePoint accepted_at{};       // by the proxy
  std::string tls;               // the settings that it was made with; "": plain
  bool given_up = false;         // the proxy has, and waits for the other end to close
  // When the proxy was told of that while it had the connection idle.
  TimePoint idle_close_told = TimePoint::max();
  // What the proxy has read, what it has written, and what had arrived for it, and when.
  std::vector<Mark> reads;
  std::vector<Mark> writes;
  std::vector<Mark> arrivals;
  std::vector<Mark> deliveries;  // what has arrived at the other end

 private:
  friend class End;
  World& world_;
  uint32_t serial_;
  LinkManners manners_;
  Dice dice_;
  uint64_t marked_ = 0;
  uint64_t upgrade_at_ = UINT64_MAX;
  bool upgraded_ = false;
  End ends_[2];
};

}  // namespace berth::sim
