#include "tests/sim/server_model.h"

#include <algorithm>

namespace berth::sim {

ServerModel::ServerModel(Site& site, uint32_t index, std::string host, ServerManners manners)
    : site_(site),
      index_(index),
      host_(std::move(host)),
      manners_(manners),
      name_("10.0.0." + std::to_string(index + 1) + ":80"),
      address_(*net::Address::parse(name_)),
      dice_(site.world.dice().next()) {}

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

void ServerModel::accept(End& end) {
  connections_.emplace_back(*this, end);
}

void ServerModel::restart(Duration down_for, bool with_reset) {
  site_.world.note("server %u stops for %.3f s", index_, to_seconds(down_for));
  up_ = false;
  for (ServerConnection& connection : connections_) connection.die(with_reset);
  site_.world.after(down_for, [this] {
    site_.world.note("server %u is back", index_);
    up_ = true;
  });
}

int64_t ServerModel::idle_closes_told(TimePoint when) {
  return std::count_if(connections_.begin(), connections_.end(),
                       [&](ServerConnection& c) { return c.link().idle_close_told < when; });
}

void ServerModel::freeze(Duration duration) {
  if (frozen_) return;
  site_.world.note("server %u is blocked for %.3f s", index_, to_seconds(duration));
  frozen_ = true;
  site_.world.after(duration, [this] {
    site_.world.note("server %u goes on", index_);
    frozen_ = false;
    for (ServerConnection& connection : connections_) connection.thaw();
  });
}

void ServerModel::be_unwell(Duration duration) {
  site_.world.note("server %u is unwell for %.3f s", index_, to_seconds(duration));
  well_ = false;
  site_.world.after(duration, [this] { well_ = true; });
}

void ServerModel::close_all() {
  for (ServerConnection& connection : connections_) connection.die(false);
}

}  // namespace berth::sim
