// Who may hold how much of memory_budget, and who loses when it runs short.
//
//   all together      memory_budget
//   one address       a quarter of it, over all workers (an IPv6 address: its /64)
//   one connection    an eighth
//
// An eighth of the default is what 100 streams over HTTP/2 hold when each has read its
// response_buffer ahead; a quarter is as much for the few connections that a browser opens to a
// site, and lets four addresses that take nothing share what there is, and no fewer.
//
// When a share is used up, Berth reads no further ahead for its owner: bytes from the server wait
// until the client has taken all that is here. When seven eighths of the budget are used up, this
// holds for everybody. It slows down the clients that move. A client that does not move would keep
// a connection to a server busy, so clients lose that would need too long to take what they hold at
// their pace: the slowest first, and among those that take nothing the one that holds most, until
// the share suffices again. The closer the total is to the budget, the shorter the time allowed; at
// the budget somebody always loses.
//
// The bound is exact but for what one turn of a worker's loop reads, and for what workers have not
// told each other (byte_buffer.cc, address_totals.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/base/intrusive_list.h"
#include "proxy/event/runtime.h"
#include "proxy/net/address_totals.h"
#include "proxy/net/memory_account.h"

namespace berth::net {

// What one address holds on this worker.
struct MemoryPlace {
  AddressKey key;
  size_t held = 0;
  size_t told = 0;   // of it, to the other workers
  size_t total = 0;  // over all workers, as of then
  size_t accounts = 0;

  size_t over_all() const { return total - told + held; }
};

// One for each worker. Thread: its worker's.
class MemoryKeeper final : private event::TimerHandler, private event::TurnTask {
 public:
  explicit MemoryKeeper(event::Runtime& runtime) : runtime_(runtime), timer_(*this) {}
  MemoryKeeper(const MemoryKeeper&) = delete;
  MemoryKeeper& operator=(const MemoryKeeper&) = delete;
  ~MemoryKeeper();

  // All together: from here on nobody is read ahead of.
  static uint64_t short_from(uint64_t budget) { return budget - budget / 8; }
  static uint64_t address_share(uint64_t budget) { return budget / 4; }
  static uint64_t connection_share(uint64_t budget) { return budget / 8; }

  // Returns whether nothing more may be read for this account now. If so, on_memory() follows when
  // there is room; otherwise somebody loses.
  bool must_wait(MemoryAccount& account);
  // Returns whether the account holds so much, and moves so little, that it may begin nothing new.
  bool refuses(const MemoryAccount& account) const {
    return account.linked() && holds_too_much(account);
  }

  // Returns how many clients have lost since the start.
  uint64_t losses() const { return losses_; }
  // Returns the address of the last client that lost, or "many clients" for a proxy or Unix socket.
  std::string last_loser() const;

 private:
  friend class MemoryAccount;
  using Accounts = std::vector<MemoryAccount*>;

  // For accounts.
  void join(MemoryAccount& account);
  void leave(MemoryAccount& account);
  void look(MemoryAccount& account);

  void on_timer(event::Timer& timer) override;
  void run() override;  // end of turn: a share is used up

  void measure(MemoryAccount& account);
  void tell(MemoryPlace& place);
  bool is_short(const MemoryAccount& account) const;
  bool holds_too_much(const MemoryAccount& account) const;
  void settle();
  template <class Short>
  void end_slowest(Accounts& accounts, const Short& still_short);
  double seconds_to_drain(const MemoryAccount& account) const;
  double patience_of_all() const;
  void wake_those_who_wait();

  event::Runtime& runtime_;
  event::Timer timer_;
  IntrusiveList<MemoryAccount, MemoryTag> accounts_;
  std::unordered_map<AddressKey, MemoryPlace, AddressKey::Hash> places_;
  uint64_t budget_ = UINT64_MAX;
  double patience_ = 0;   // with those whose share is used up; during settle()
  bool pressed_ = false;  // somebody waits for a connection that a slow client holds
  uint64_t losses_ = 0;
  Address last_loser_;
};

}  // namespace berth::net
