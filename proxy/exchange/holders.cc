#include "proxy/exchange/holders.h"

#include <algorithm>

#include "proxy/upstream/server_pool.h"

namespace berth::exchange {

Duration Rest::look(TimePoint now, uint64_t total) {
  const uint64_t bytes = total > total_ ? total - total_ : 0;
  const double moved = static_cast<double>(bytes) / static_cast<double>(kRate);
  total_ = total;
  const double rested = std::max(0.0, to_seconds(now - since_) - moved);
  const Duration rest = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(rested));
  since_ = now - rest;
  return rest;
}

void Holders::watch(Holder& holder) {
  if (holder.linked()) return;
  holder.resting = false;
  list_.push_back(holder);
  if (!timer_.armed()) env_.runtime.arm(timer_, kLook);
}

// How long it has rested because of its client.
Duration Holders::look_at(Holder& holder, TimePoint now) const {
  const std::optional<uint64_t> moved = holder.moved();
  if (!moved) {
    holder.resting = false;
    return {};
  }
  if (!holder.resting) {
    holder.resting = true;
    holder.rest.begin(now, *moved);
    return {};
  }
  return holder.rest.look(now, *moved);
}

Holders::Longest& Holders::of(const std::shared_ptr<upstream::SharedServer>& server) {
  const auto at = std::find_if(longest_.begin(), longest_.end(),
                               [&](const Longest& one) { return one.server == server; });
  if (at != longest_.end()) return *at;
  return longest_.emplace_back(Longest{.server = server});
}

void Holders::on_timer(event::Timer&) {
  const TimePoint now = env_.now();
  for (Longest& one : longest_) one.holder = nullptr;
  list_.for_each([&](Holder& holder) {
    const upstream::ServerPool* pool = holder.held_pool();
    if (pool == nullptr) {
      holder.unlink();
      return;
    }
    const Duration rested = look_at(holder, now);
    if (rested == Duration{}) return;
    Longest& longest = of(pool->shared_server());
    if (longest.holder != nullptr && rested <= longest.rested) return;
    longest.holder = &holder;
    longest.rested = rested;
  });
  for (const Longest& one : longest_) judge(one, now);
  std::erase_if(longest_, [](const Longest& one) { return one.holder == nullptr; });
  if (!list_.empty() || !longest_.empty()) env_.runtime.arm(timer_, kLook);
}

void Holders::judge(const Longest& longest, TimePoint now) const {
  upstream::RestBoard& board = longest.server->rests;
  if (longest.holder == nullptr) {
    board.clear(env_.worker);
    return;
  }
  const TimePoint since = now - longest.rested;
  board.post(env_.worker, since, now);
  const upstream::ServerPool& pool = *longest.holder->held_pool();
  const auto& limit = pool.settings().pool.rest_timeout;
  if (!limit || longest.rested < *limit || !pool.someone_waits()) return;
  if (board.longer_elsewhere(env_.worker, since, now)) return;
  if (longest.server->cluster->ended_rests.pass(now, kLook)) {
    longest.holder->end_rest(longest.rested);
  }
}

}  // namespace berth::exchange
