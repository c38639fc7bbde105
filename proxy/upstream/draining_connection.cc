#include "proxy/upstream/draining_connection.h"

#include <utility>

#include "proxy/base/check.h"

namespace berth::upstream {

DrainingConnection::DrainingConnection(net::WorkerEnv& env, DrainObserver& observer,
                                       ClosingConnection closing)
    : env_(env), observer_(observer), closing_(std::move(closing)), timer_(*this) {
  BERTH_DCHECK(closing_.transport != nullptr);
}

DrainingConnection::~DrainingConnection() {
  env_.runtime.cancel(timer_);
}

void DrainingConnection::begin(Duration close_timeout) {
  close_timeout_ = close_timeout;
  env_.runtime.arm(timer_, close_timeout);
  net::Transport& transport = *closing_.transport;
  if (closing_.detached) {
    static_cast<void>(env_.network.attach(transport, *this));  // if not: close_timeout ends it
  } else {
    transport.hand_to(*this);
  }
  say_last_words();
  // What had arrived before was reported to somebody else. Later, because the caller may be looking
  // at bytes in the scratch buffer.
  if (!over()) env_.runtime.turn.later(*this);
}

// As far as the server takes them; then our FIN.
void DrainingConnection::say_last_words() {
  net::Transport& transport = *closing_.transport;
  const net::IoResult sent = closing_.last_words.flush(transport);
  if (sent.status == net::IoStatus::Reset) {
    end(true);
    return;
  }
  if (sent.bytes > 0) env_.runtime.arm(timer_, close_timeout_);
  if (!closing_.last_words.empty()) return;
  if (closing_.server_done) {
    end(true);
  } else {
    transport.shutdown_write();
  }
}

void DrainingConnection::on_server_fin() {
  closing_.server_done = true;
  if (closing_.last_words.empty()) end(true);
}

void DrainingConnection::on_ready(net::Ready ready) {
  if (over()) return;
  if (ready.writable && !closing_.last_words.empty()) say_last_words();
  if (over()) return;
  if (ready.peer_closed) {
    on_server_fin();
  } else if (ready.readable) {
    discard();
  }
}

// Reads below TLS: nobody wants to know what the bytes say, and a session that is broken must not
// look like a server that has let go.
void DrainingConnection::discard() {
  if (over()) return;
  net::Transport& lowest = closing_.transport->lowest();
  for (int reads = 0; reads < net::Scratch::kReadsPerTurn; ++reads) {
    const net::IoResult got = lowest.read(env_.scratch.data(), net::Scratch::kSize);
    switch (got.status) {
      case net::IoStatus::Ok:
        continue;
      case net::IoStatus::Again:
        return;
      case net::IoStatus::Eof:
        on_server_fin();
        return;
      case net::IoStatus::Reset:
        end(true);
        return;
    }
  }
  env_.runtime.turn.next_turn(*this);
}

void DrainingConnection::on_timer(event::Timer&) {
  closing_.transport->abort_on_close();
  end(false);
}

void DrainingConnection::end(bool in_time) {
  env_.runtime.cancel(timer_);
  event::TurnTask::unlink();
  closing_.transport.reset();
  closing_.slot.give_back();
  observer_.on_drained(*this, in_time);
}

}  // namespace berth::upstream
