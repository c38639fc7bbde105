// A connection to an app server that Berth is closing. It keeps its slot until the server has let
// go.
//
// Closing is asking. A server whose event loop is busy still holds a connection that we have
// closed, and may still run the request on it: if the slot were free at once, the server would see
// more connections than the bound. So our side is shut down, what the server still sends is thrown
// away, and the slot goes back when the server's FIN or RST arrives. Node cancels the request and
// answers with its own FIN as soon as its loop turns. A server that does neither within
// `close_timeout` is reset.
//
// A tunnel may have last words: what its client sent before it ended its side. The server is to
// hear them, even when it has ended its own side. They go before our FIN, and `close_timeout` runs
// anew whenever the server takes some of them.
#pragma once

#include <cstdint>
#include <memory>

#include "proxy/base/close_reason.h"
#include "proxy/base/intrusive_list.h"
#include "proxy/event/timer_queue.h"
#include "proxy/event/turn_queue.h"
#include "proxy/net/send_queue.h"
#include "proxy/net/transport.h"
#include "proxy/net/worker_env.h"
#include "proxy/upstream/slot.h"

namespace berth::upstream {

class DrainingConnection;
struct DrainTag {};

// Told when a draining connection has ended. Thread: the connection's.
class DrainObserver {
 public:
  // The slot is free and the socket closed. `in_time`: the server has let go; otherwise it was
  // reset. The observer disposes of the connection at the end of the turn.
  virtual void on_drained(DrainingConnection& connection, bool in_time) = 0;

 protected:
  ~DrainObserver() = default;
};

// What a slot counts: a connection of the pool, or one that was upgraded (WebSocket).
enum class SlotKind : uint8_t { Pool, Upgraded };

// What is left of a connection that closes.
struct ClosingConnection {
  std::unique_ptr<net::Transport> transport;  // nullptr: the server has let go already
  Slot slot;
  SlotKind kind = SlotKind::Pool;
  CloseReason reason = CloseReason::None;
  bool detached = false;  // from the loop of another worker
  net::SendQueue last_words{nullptr};
  bool server_done = false;  // its FIN has come; it is there only to hear our last words
};

// Thread: its worker's.
class DrainingConnection final : public event::Disposable,
                                 public ListHook<DrainTag>,
                                 private net::TransportHandler,
                                 private event::TimerHandler,
                                 private event::TurnTask {
 public:
  // `observer` and `env` outlive it.
  DrainingConnection(net::WorkerEnv& env, DrainObserver& observer, ClosingConnection closing);
  // Closes at once, and gives the slot back.
  ~DrainingConnection() override;

  // Says the last words, shuts down our side and waits for the server's, at most `close_timeout`.
  void begin(Duration close_timeout);

  CloseReason reason() const { return closing_.reason; }
  SlotKind kind() const { return closing_.kind; }
  bool over() const { return closing_.transport == nullptr; }
  bool has_last_words() const { return !closing_.last_words.empty(); }

 private:
  void on_ready(net::Ready ready) override;
  void on_timer(event::Timer& timer) override;
  void run() override { discard(); }

  void say_last_words();
  void on_server_fin();
  void discard();
  void end(bool in_time);

  net::WorkerEnv& env_;
  DrainObserver& observer_;
  ClosingConnection closing_;
  event::Timer timer_;
  Duration close_timeout_{};
};

}  // namespace berth::upstream
