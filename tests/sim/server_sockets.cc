#include "tests/sim/server_sockets.h"

#include <algorithm>
#include <utility>

namespace berth::sim {

namespace {

bool let_go(End& end) {
  return end.shut() || end.closed() || end.link().near().rst_sent();
}

}  // namespace

void ServerSockets::established(End& end) {
  waiting_.push_back(&end);
  open_.push_back(&end);
}

End* ServerSockets::accept() {
  if (waiting_.empty()) return nullptr;
  End* end = waiting_.front();
  waiting_.pop_front();
  return end;
}

void ServerSockets::reset_waiting() {
  for (End* end : std::exchange(waiting_, {})) end->reset();
}

ServerSockets::Count ServerSockets::open() {
  std::erase_if(open_, [](End* end) { return let_go(*end); });
  Count out;
  for (End* end : open_) ++(end->link().upgraded() ? out.upgraded : out.pooled);
  return out;
}

}  // namespace berth::sim
