// What a ClientListener owns: one client's connection, whatever protocol it speaks.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/base/close_reason.h"
#include "proxy/base/intrusive_list.h"
#include "proxy/base/time.h"
#include "proxy/config/listener.h"
#include "proxy/event/turn_queue.h"
#include "proxy/net/address.h"
#include "proxy/net/memory_keeper.h"
#include "proxy/net/worker_env.h"

namespace berth::client {

class ClientListener;
struct ClientTag {};

// When the client connected, and which connection it is. Stays when another object takes over.
struct Birth {
  TimePoint opened;
  net::ConnectionId id;
};

// Idle: between requests, or before the first. Reading: part of a head has come. Active: a request
// is under way (HTTP/2: one or more). Writing: the last response is complete and on its way out.
// Lingering: our side is shut down; what still comes is thrown away, so that the client gets to
// read the response (RFC 9112 section 9.6). Handshake: not yet a connection of any protocol
// (PendingConnection).
enum class ClientState : uint8_t {
  Idle,
  Reading,
  Active,
  Writing,
  Upgraded,
  Lingering,
  Handshake,
  Closed,
};

inline constexpr std::string_view kHstsField = "Strict-Transport-Security";

// What a client that connected just before the listener went is given for its request to arrive.
inline constexpr Duration kFirstRequestWithin = std::chrono::seconds(1);

// Owned by its ClientListener, in whose lists it is from its construction to its end. Thread: its
// worker's.
class Connection : public event::Disposable, public ListHook<ClientTag>, public net::MemoryAccount {
 public:
  ClientState state() const { return state_; }
  const net::Address& peer() const { return peer_; }
  const Birth& birth() const { return birth_; }
  // Begun on it so far.
  uint32_t requests() const { return requests_; }
  ClientListener& listener() const { return listener_; }
  // More to read, or read already and not yet looked at.
  virtual bool has_input() const = 0;
  virtual void close(ClientClose reason) noexcept = 0;
  // The listener will go soon (drain()): tells the client to look elsewhere, with the next response
  // or at once, and serves it as before.
  virtual void announce_end() {}
  // The listener is going: finishes what is under way and takes nothing new, as soon as the client
  // can know.
  virtual void drain() = 0;
  // The listener has other settings than `before`: what runs against a timeout runs against the new
  // one, from when it began. Closes nothing itself: what is late now closes with the next timers.
  virtual void on_new_limits(const config::Listener& before) = 0;

 protected:
  Connection(ClientListener& listener, const net::Address& peer, const Birth& birth,
             ClientState first = ClientState::Idle);

  // net::MemoryAccount. Each kind of connection says what it has to end, and who waits.
  uint64_t memory_budget() const override;
  const net::Address* counted_address() const override;
  net::MemoryKeeper& keeper() const;

  // Gauges and lists follow. Each kind of connection checks its own transitions.
  void move_to(ClientState next);
  // The one way to ClientState::Closed: counted, and destroyed at the end of the turn.
  void end(ClientClose reason);
  // The same client goes on as another Connection object, which exists already: neither counted as
  // closed nor as accepted.
  void end_replaced();

  ClientListener& listener_;
  const net::Address peer_;
  const Birth birth_;
  uint32_t requests_ = 0;

 private:
  ClientState state_;
};

}  // namespace berth::client
