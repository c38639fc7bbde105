#include "tests/sim/sim_network.h"

#include <algorithm>
#include <utility>

namespace berth::sim {

SimTransport& ReadyList::take(size_t at) {
  std::swap(transports_[at], transports_.back());
  SimTransport& taken = *transports_.back();
  transports_.pop_back();
  return taken;
}

SimTransport::SimTransport(Link& link, Stage stage) : link_(link), stage_(stage) {
  link_.near().observe(this);
}

SimTransport::~SimTransport() {
  detach();
  if (observer_ != nullptr) observer_->on_transport_gone(*this);
  if (stage_ != Stage::Open) {
    // Nobody at the other end has heard of it, or ever will.
    link_.near().observe(nullptr);
    if (stage_ == Stage::Connecting) link_.near().reset();
    return;
  }
  if (abort_) {
    link_.near().reset();
  } else {
    link_.near().close();
  }
}

void SimTransport::attach(ReadyList& ready, net::TransportHandler& handler) {
  ready_ = &ready;
  handler_ = &handler;
  // Registration reports what is there already: at least that it can be written to.
  on_edge(link_.near());
}

void SimTransport::detach() {
  if (listed_) ready_->remove(*this);
  listed_ = false;
  ready_ = nullptr;
  handler_ = nullptr;
}

void SimTransport::on_edge(End&) {
  edge_ = true;
  if (ready_ == nullptr || listed_) return;
  listed_ = true;
  ready_->add(*this);
}

// The state at this moment, as epoll_wait() and libevent give it: after RST only readable and
// writable.
void SimTransport::report() {
  listed_ = false;
  if (!std::exchange(edge_, false)) return;
  End& end = link_.near();
  net::Ready ready;
  end_told_ = end.fin_arrived() && !end.rst_arrived();
  switch (stage_) {
    case Stage::Connecting:
      // Registered before the connection stands: a pending socket is hung up, so to speak.
      ready = {.readable = false, .writable = true, .peer_closed = false};
      break;
    case Stage::Failed:
      ready = {.readable = true, .writable = true, .peer_closed = false};
      break;
    case Stage::Open:
      ready.readable = !end.unread().empty() || end.fin_arrived() || end.rst_arrived();
      ready.writable = end.has_room() || end.rst_arrived();
      ready.peer_closed = end.fin_arrived() && !end.rst_arrived();
      note_idle_close();
      break;
  }
  link_.world().note("      #%u ready:%s%s%s", link_.serial(), ready.readable ? " readable" : "",
                     ready.writable ? " writable" : "", ready.peer_closed ? " fin" : "");
  handler_->on_ready(ready);
}

// What the proxy can learn from: a server that closes by itself, while nothing is under way.
void SimTransport::note_idle_close() {
  if (!end_told_ || !link_.closed_by_timer || link_.idle_close_told != TimePoint::max()) return;
  if (link_.writes.empty() || link_.arrivals.empty()) return;
  if (link_.given_up) return;  // it was asked to close
  // An answer that it has not read, because a slow client keeps it from that, is under way.
  if (!link_.near().unread().empty()) return;
  if (link_.writes.back().order > link_.arrivals.back().order) return;
  link_.idle_close_told = link_.world().now();
}

void SimTransport::secure(const std::string& settings, net::TransportHandler& handler) {
  link_.tls = settings;
  secured_ = true;
  handler_ = &handler;
}

void SimTransport::connected(ConnectFate fate) {
  fate_ = fate;
  stage_ = fate.kind == ConnectFate::Kind::Stands ? Stage::Open : Stage::Failed;
  on_edge(link_.near());
}

net::IoResult SimTransport::read(char* into, size_t size) {
  if (stage_ != Stage::Open) return {net::IoStatus::Reset, 0};
  const End::Read got = link_.near().read(into, size);
  switch (got.what) {
    case End::Got::Bytes:
      link_.world().note("      #%u read %zu", link_.serial(), got.bytes);
      link_.mark(link_.reads, link_.near().read_total());
      link_.note_read();
      return {net::IoStatus::Ok, got.bytes, got.bytes == size};
    case End::Got::Nothing:
      return {net::IoStatus::Again, 0};
    case End::Got::Fin:
      return {net::IoStatus::Eof, 0};
    case End::Got::Error:
      break;
  }
  return {net::IoStatus::Reset, 0};
}

net::IoResult SimTransport::peek(char* into, size_t size) {
  const std::string_view here = link_.near().unread().substr(0, size);
  if (here.empty()) return read(into, size);
  std::copy(here.begin(), here.end(), into);
  return {net::IoStatus::Ok, here.size()};
}

net::IoResult SimTransport::write(const iovec* parts, int count) {
  if (link_.closed_idle && end_told_) {
    link_.world().fail("#%u: used although the server had hung up, and the proxy had been told",
                       link_.serial());
  }
  check_looked();
  size_t total = 0;
  size_t offered = 0;
  for (int i = 0; i < count; ++i) {
    const std::string_view part(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    offered += part.size();
    bool error = false;
    const size_t taken = link_.near().write(part, error);
    if (error) return {net::IoStatus::Reset, 0};
    total += taken;
    if (taken < part.size()) break;
  }
  link_.world().note("      #%u wrote %zu%s", link_.serial(), total,
                     total < offered ? " (not all)" : "");
  if (total > 0) link_.mark(link_.writes, link_.near().written_total());
  if (total == 0 && offered > 0) return {net::IoStatus::Again, 0};
  return {net::IoStatus::Ok, total};
}

// A connection that has been idle for more than a second is looked at before it is used: then it is
// known what has come.
void SimTransport::check_looked() {
  const End& end = link_.near();
  if (!link_.closed_idle || link_.arrivals.empty() || link_.writes.empty()) return;
  // (Behind an RST nothing can be sent: that harms nobody.)
  if (!end.fin_arrived() || end.rst_arrived()) return;
  const Mark& heard = link_.arrivals.back();
  const Duration idle = link_.world().now() - heard.at;
  constexpr Duration kClocksDiffer = 200ms;  // the worker's turn may have begun earlier
  if (link_.writes.back().order < heard.order && idle > 1s + kClocksDiffer) {
    link_.world().fail("#%u: used without a look after %.3f s idle", link_.serial(),
                       to_seconds(idle));
  }
}

void SimTransport::shutdown_write() {
  if (stage_ != Stage::Open) return;
  link_.near().shut_down();
}

net::Probe SimTransport::probe() {
  End& end = link_.near();
  if (!end.unread().empty()) return net::Probe::Data;
  if (end.rst_untold()) {
    end.tell_rst();
    return net::Probe::Reset;
  }
  return end.fin_arrived() || end.rst_arrived() ? net::Probe::Eof : net::Probe::Quiet;
}

net::Transport::ConnectResult SimTransport::finish_connect() {
  switch (stage_) {
    case Stage::Connecting:
      return {net::IoStatus::Again, CloseReason::None};
    case Stage::Open:
      return {net::IoStatus::Ok, CloseReason::None};
    case Stage::Failed:
      break;
  }
  return {net::IoStatus::Reset, fate_.reason};
}

uint64_t SimTransport::bytes_acked() const {
  return link_.manners().acks_known ? link_.near().acked() : UINT64_MAX;
}

Result<std::unique_ptr<net::Transport>, CloseReason> SimNetwork::connect(
    const net::Address& to, const net::ConnectOptions& options, net::TransportHandler& handler) {
  CloseReason failure = CloseReason::None;
  std::unique_ptr<SimTransport> transport = dialer_.dial(to, options.tls, failure);
  if (transport == nullptr) return Failure{failure};
  transport->attach(ready_, handler);
  return std::unique_ptr<net::Transport>(std::move(transport));
}

bool SimNetwork::attach(net::Transport& transport, net::TransportHandler& handler) {
  if (dice_.permille(attach_failures_)) return false;
  static_cast<SimTransport&>(transport).attach(ready_, handler);
  return true;
}

}  // namespace berth::sim
