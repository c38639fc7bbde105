#include "tests/sim/server_model.h"

#include <algorithm>
#include <utility>

#include "proxy/upstream/keepalive_learner.h"

namespace berth::sim {

namespace {

// Closes that come within this time may be one for the proxy.
constexpr Duration kTogether = upstream::KeepaliveLearner::kTogether + 10ms;

OnHalfClose draw_half_close(const ServerManners& manners, uint64_t seed, uint32_t index) {
  if (!manners.of_all_kinds) return OnHalfClose::Abort;
  constexpr OnHalfClose kKinds[] = {OnHalfClose::Abort, OnHalfClose::Answer, OnHalfClose::Answer,
                                    OnHalfClose::Ignore, OnHalfClose::FinAndRead};
  return Dice(seed * 64 + index).of(kKinds);
}

}  // namespace

ServerModel::ServerModel(Site& site, uint32_t index, std::string host, ServerManners manners)
    : site_(site),
      index_(index),
      host_(std::move(host)),
      manners_(manners),
      name_("10.0.0." + std::to_string(index + 1) + ":80"),
      address_(*net::Address::parse(name_)),
      dice_(site.world.dice().next()),
      on_half_close_(draw_half_close(manners, site.scenario.seed, index)),
      idle_closes_(site.scenario.server_link.most_delay) {}

ConnectFate ServerModel::fate() {
  using Kind = ConnectFate::Kind;
  const Duration soon = dice_.between(Duration(0), manners_.most_connect);
  if (!up_) return {Kind::Fails, CloseReason::ConnectRefused, soon};
  if (dice_.permille(manners_.connect_fails_at_once)) {
    constexpr CloseReason kReasons[] = {CloseReason::ConnectRefused, CloseReason::NoLocalResources,
                                        CloseReason::ConnectUnreachable};
    return {Kind::FailsAtOnce, dice_.of(kReasons), {}};
  }
  if (dice_.permille(manners_.connect_refused))
    return {Kind::Fails, CloseReason::ConnectRefused, soon};
  if (dice_.permille(manners_.connect_silent)) return {Kind::Silence, CloseReason::None, {}};
  return {Kind::Stands, CloseReason::None, soon};
}

void ServerModel::established(End& end) {
  sockets_.established(end);
  site_.world.after(dice_.between(Duration(0), manners_.most_accept), [this] { accept_all(); });
}

void ServerModel::accept_all() {
  if (asleep_) return;
  while (End* end = sockets_.accept()) connections_.emplace_back(*this, *end);
}

void ServerModel::restart(Duration down_for, bool with_reset) {
  site_.world.note("server %u stops for %.3f s", index_, to_seconds(down_for));
  up_ = false;
  asleep_ = false;
  due_.clear();
  for (ServerConnection& connection : connections_) connection.die(with_reset);
  sockets_.reset_waiting();
  site_.world.after(down_for, [this] {
    site_.world.note("server %u is back", index_);
    up_ = true;
  });
  if (manners_.keepalive_when_restarted > Duration(0)) {
    manners_.keepalive = manners_.keepalive_when_restarted;
  }
}

TimePoint ServerModel::rests_since() const {
  TimePoint earliest = TimePoint::max();
  for (const ServerConnection& c : connections_) earliest = std::min(earliest, c.rests_since());
  return earliest;
}

int64_t ServerModel::idle_closes_told(TimePoint when) {
  std::vector<TimePoint> told;
  for (ServerConnection& c : connections_) {
    if (c.link().idle_close_told < when) told.push_back(c.link().idle_close_told);
  }
  std::sort(told.begin(), told.end());
  int64_t count = 0;
  TimePoint counted{};
  for (const TimePoint at : told) {
    if (count > 0 && at - counted <= kTogether) continue;
    counted = at;
    ++count;
  }
  return count;
}

void ServerModel::sleep(Duration duration) {
  if (asleep_ || !up_) return;
  site_.world.note("server %u sleeps for %.3f s", index_, to_seconds(duration));
  asleep_ = true;
  site_.world.after(duration, [this, which = ++sleeps_] { wake(which); });
}

// Timers first, then the sockets: those that are known and the one that listens in either order.
void ServerModel::wake(uint32_t sleep) {
  if (!asleep_ || sleep != sleeps_) return;
  site_.world.note("server %u goes on", index_);
  asleep_ = false;
  for (const auto& what : std::exchange(due_, {})) what();
  const bool accepts_first = dice_.percent(50);
  if (accepts_first) accept_all();
  for (ServerConnection& connection : connections_) connection.wake();
  accept_all();
}

void ServerModel::when_awake(std::function<void()> what) {
  if (asleep_) {
    due_.push_back(std::move(what));
  } else {
    what();
  }
}

void ServerModel::be_unwell(Duration duration) {
  site_.world.note("server %u is unwell for %.3f s", index_, to_seconds(duration));
  well_ = false;
  site_.world.after(duration, [this] { well_ = true; });
}

void ServerModel::close_all() {
  for (ServerConnection& connection : connections_) connection.die(false);
  sockets_.reset_waiting();
}

}  // namespace berth::sim
