// Network on the kernel's sockets.
#pragma once

#include "proxy/event/loop.h"
#include "proxy/net/network.h"

namespace berth::net {

class SocketNetwork final : public Network {
 public:
  explicit SocketNetwork(event::Loop& loop) : loop_(loop) {}

  Result<std::unique_ptr<Transport>, CloseReason> connect(const Address& to,
                                                          const ConnectOptions& options,
                                                          TransportHandler& handler) override;
  bool attach(Transport& transport, TransportHandler& handler) override;

 private:
  event::Loop& loop_;
};

}  // namespace berth::net
