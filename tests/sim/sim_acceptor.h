// What makes a client's connection a TLS one, in the simulator: it only says so.
#pragma once

#include <string>
#include <utility>

#include "proxy/net/tls_acceptor.h"
#include "tests/sim/sim_network.h"

namespace berth::sim {

class SimAcceptor final : public net::TlsAcceptor {
 public:
  explicit SimAcceptor(std::string settings) : settings_(std::move(settings)) {}

  std::unique_ptr<net::Transport> accept(std::unique_ptr<net::Transport> lower,
                                         net::TransportHandler& handler) const override {
    static_cast<SimTransport&>(*lower).secure(settings_, handler);
    return lower;
  }

 private:
  std::string settings_;
};

}  // namespace berth::sim
