// Both directions of an upgraded exchange: each ends by itself, and the tunnel with the second one.
#pragma once

#include <cstdint>

#include "proxy/base/check.h"
#include "proxy/base/transition_table.h"

namespace berth::exchange {

enum class TunnelState : uint8_t { Open, ClientEnded, ServerEnded, Over };

class Tunnel {
 public:
  // A side has said all that it has to say; each does so once. True if that was the second one.
  bool client_ended() {
    move_to(state_ == TunnelState::Open ? TunnelState::ClientEnded : TunnelState::Over);
    return state_ == TunnelState::Over;
  }
  bool server_ended() {
    move_to(state_ == TunnelState::Open ? TunnelState::ServerEnded : TunnelState::Over);
    return state_ == TunnelState::Over;
  }
  // A client's FIN may be read more than once.
  bool client_has_ended() const {
    return state_ == TunnelState::ClientEnded || state_ == TunnelState::Over;
  }

 private:
  static constexpr TransitionTable<TunnelState> kTransitions = {
      {TunnelState::Open, {TunnelState::ClientEnded, TunnelState::ServerEnded}},
      {TunnelState::ClientEnded, {TunnelState::Over}},
      {TunnelState::ServerEnded, {TunnelState::Over}}};

  void move_to(TunnelState next) {
    BERTH_DCHECK(kTransitions.allows(state_, next));
    state_ = next;
  }

  TunnelState state_ = TunnelState::Open;
};

}  // namespace berth::exchange
