// One listener of one worker: its client connections, and what accepts them.
#pragma once

#include <cstddef>
#include <memory>

#include "proxy/client/client_listener.h"

namespace berth::server {

struct ListenerPlan;

// Makes room when file descriptors run short.
class Eviction {
 public:
  // Closes up to `most` of the longest-idle client connections; returns how many.
  virtual size_t evict_idle(size_t most) = 0;

 protected:
  ~Eviction() = default;
};

// Accepts from its construction on. Thread: its worker's.
class Port {
 public:
  explicit Port(std::unique_ptr<client::ClientListener> clients) : clients_(std::move(clients)) {}
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  virtual ~Port() = default;

  client::ClientListener& clients() { return *clients_; }
  // Puts other settings into effect, for what accepts and for the connections that are there.
  virtual void apply(const std::shared_ptr<const config::Listener>& settings,
                     client::TlsAcceptorPtr tls) {
    clients_->apply(settings, std::move(tls));
  }
  // Accepts what is queued, so that nobody's connection is reset, and then no more.
  virtual void stop_accepting() = 0;

 private:
  const std::unique_ptr<client::ClientListener> clients_;
};

// Opens the ports of one worker: on the kernel's sockets, or in the simulator's memory.
class PortOpener {
 public:
  // `plan`: of a listener that the worker does not have yet; its socket is taken. `eviction`
  // outlives the port.
  virtual std::unique_ptr<Port> open(ListenerPlan& plan,
                                     std::unique_ptr<client::ClientListener> clients,
                                     Eviction& eviction) = 0;

 protected:
  ~PortOpener() = default;
};

}  // namespace berth::server
