// A connection that another worker has sent and that finds no pool here, because a reload came in
// between. It drains on its own.
#pragma once

#include <memory>

#include "proxy/upstream/drain_list.h"
#include "proxy/upstream/shared_server.h"

namespace berth::upstream {

class OrphanConnection;
struct OrphanTag {};

// Told when the server has let go. Thread: the connection's.
class OrphanObserver {
 public:
  // A slot of its server is free. The observer disposes of the orphan at the end of the turn.
  virtual void on_orphan_gone(OrphanConnection& orphan) = 0;

 protected:
  ~OrphanObserver() = default;
};

// Thread: its worker's.
class OrphanConnection final : public event::Disposable,
                               public ListHook<OrphanTag>,
                               private DrainListOwner {
 public:
  // `env` and `observer` outlive it.
  OrphanConnection(net::WorkerEnv& env, std::shared_ptr<SharedServer> server,
                   std::shared_ptr<stats::ServerStats> stats, OrphanObserver& observer)
      : server_(std::move(server)),
        stats_(std::move(stats)),
        observer_(observer),
        draining_(env, *stats_, *this) {}

  void drain(ClosingConnection closing, Duration close_timeout) {
    draining_.drain(std::move(closing), close_timeout);
  }
  const std::shared_ptr<SharedServer>& server() const { return server_; }

 private:
  void on_let_go(CloseReason) override { observer_.on_orphan_gone(*this); }

  const std::shared_ptr<SharedServer> server_;  // first: the slot is given back to it
  const std::shared_ptr<stats::ServerStats> stats_;
  OrphanObserver& observer_;
  DrainList draining_;
};

}  // namespace berth::upstream
