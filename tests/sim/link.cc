#include "tests/sim/link.h"

#include <algorithm>
#include <cstring>

namespace berth::sim {

namespace {
constexpr Duration kDelayedAck = 40ms;
}

Link::Link(World& world, uint32_t serial, LinkManners manners)
    : world_(world), serial_(serial), manners_(manners), dice_(world.dice().next()) {
  for (int side = 0; side < 2; ++side) {
    ends_[side].link_ = this;
    ends_[side].side_ = side;
  }
}

End& End::peer() {
  return link_->ends_[1 - side_];
}

bool End::has_room() const {
  return link_->ends_[1 - side_].pending() < link_->manners_.window;
}

size_t End::write(std::string_view bytes, bool& error) {
  error = false;
  if (rst_arrived_ || fin_sent_ || closed_) {
    error = true;
    rst_untold_ = false;  // the error is told once; from now on there is only the end
    return 0;
  }
  const size_t used = peer().pending();
  const size_t room = link_->manners_.window - std::min<size_t>(used, link_->manners_.window);
  size_t taken = std::min(room, bytes.size());
  if (taken > 1 && link_->dice_.percent(link_->manners_.short_percent)) {
    taken = link_->dice_.between(1, taken - 1);
  }
  if (taken < bytes.size()) {
    wants_room_ = true;
    // Cut short although there was room: there will be an edge without the peer's doing.
    if (taken < room) {
      link_->world_.after(link_->delay(), [this] {
        if (wants_room_ && has_room() && !closed_) {
          wants_room_ = false;
          edge();
        }
      });
    }
  }
  if (taken == 0) return 0;
  written_ += taken;
  peer().in_.append(bytes.substr(0, taken));
  send_segment(taken, false, false);
  return taken;
}

void End::send_segment(size_t bytes, bool fin, bool rst) {
  World& world = link_->world_;
  // Later than the one before: of two events of the same moment either may come first.
  last_arrival_ = std::max(last_arrival_ + 1ns, world.now() + link_->delay());
  const uint64_t acks = rst ? 0 : arrived_total();
  world.after(last_arrival_ - world.now(),
              [this, bytes, fin, rst, acks] { peer().arrive(bytes, fin, rst, acks); });
}

void End::arrive(size_t bytes, bool fin, bool rst, uint64_t acks) {
  acked_ = std::max(acked_, acks);
  if (rst_arrived_) return;
  if (closed_) {
    // Nobody is here any more. What comes for a closed end is answered with RST.
    if (bytes > 0 && !rst_sent_ && !rst) {
      rst_sent_ = true;
      send_segment(0, false, true);
    }
    return;
  }
  in_arrived_ += bytes;
  if (bytes > 0) link_->mark(side_ == 0 ? link_->arrivals : link_->deliveries, arrived_total());
  if (fin) fin_arrived_ = true;
  if (rst) {
    rst_arrived_ = true;
    rst_untold_ = true;
    in_.resize(in_arrived_);
  }
  if (bytes > 0 && link_->manners_.acks_known && side_ == 1) acknowledge();
  edge();
}

// Half of the time at once, otherwise late (or with whatever this end sends before).
void End::acknowledge() {
  const uint64_t upto = arrived_total();
  const bool at_once = link_->dice_.percent(50);
  link_->world_.after(at_once ? link_->delay() : kDelayedAck + link_->delay(), [this, upto] {
    if (!rst_sent_) peer().acked_ = std::max(peer().acked_, upto);
  });
}

End::Read End::read(char* into, size_t size) {
  const size_t here = std::min(size, in_arrived_ - in_read_);
  if (here > 0) {
    std::memcpy(into, in_.data() + in_read_, here);
    consume(here);
    return {Got::Bytes, here};
  }
  if (rst_untold_ && !fin_arrived_) {
    rst_untold_ = false;
    return {Got::Error, 0};
  }
  if (fin_arrived_ || rst_arrived_) return {Got::Fin, 0};
  return {Got::Nothing, 0};
}

void End::consume(size_t bytes) {
  in_read_ += bytes;
  if (in_read_ > 8192 || in_read_ == in_.size()) {
    read_base_ += in_read_;
    in_arrived_ -= in_read_;
    in_.erase(0, in_read_);
    in_read_ = 0;
  }
  if (peer().wants_room_ && peer().has_room()) {
    link_->world_.after(link_->delay(), [from = &peer()] {
      if (from->wants_room_ && from->has_room() && !from->closed_) {
        from->wants_room_ = false;
        from->edge();
      }
    });
  }
}

void End::shut_down() {
  if (fin_sent_ || rst_arrived_ || closed_) return;
  fin_sent_ = true;
  send_segment(0, true, false);
}

const Mark* passing(const std::vector<Mark>& marks, uint64_t upto) {
  const auto at =
      std::find_if(marks.begin(), marks.end(), [&](const Mark& m) { return m.upto >= upto; });
  return at == marks.end() ? nullptr : &*at;
}

void End::close() {
  if (closed_) return;
  if (in_arrived_ > in_read_) {
    reset();
    return;
  }
  shut_down();
  closed_ = true;
  observer_ = nullptr;
}

void End::reset() {
  if (closed_) return;
  closed_ = true;
  observer_ = nullptr;
  if (rst_arrived_ || rst_sent_) return;
  rst_sent_ = true;
  fin_sent_ = true;
  send_segment(0, false, true);
}

}  // namespace berth::sim
