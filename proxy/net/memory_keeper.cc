#include "proxy/net/memory_keeper.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "proxy/base/check.h"
#include "proxy/net/byte_buffer.h"

namespace berth::net {

namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(100);
// How much less, with each look, what has moved before counts: it is forgotten within seconds.
constexpr float kFade = 0.9F;
// The first moment, in which an account is taken to have moved its credit.
constexpr float kFirstSeconds = 0.05F;
// In how many seconds a client has to be able to take what it holds beyond its share.
constexpr double kPatience = 10;
// The same, when others wait for the connection to a server that it keeps for it.
constexpr double kPressedPatience = 1;
constexpr float kPressedRest = 0.3F;
constexpr double kNever = std::numeric_limits<double>::infinity();

}  // namespace

// --- Accounts.

MemoryAccount::~MemoryAccount() {
  BERTH_DCHECK(held_ == 0);
  if (linked()) keeper_.leave(*this);
}

void MemoryAccount::notice(size_t bytes) {
  if (!linked()) {
    keeper_.join(*this);
  } else if (place_ != nullptr) {
    place_->held += bytes;
  }
  keeper_.look(*this);
}

void MemoryAccount::give_back(size_t bytes) {
  BERTH_DCHECK(held_ >= bytes);
  held_ -= bytes;
  if (place_ == nullptr) return;
  BERTH_DCHECK(place_->held >= bytes);
  place_->held -= bytes;
}

void MemoryKeeper::join(MemoryAccount& account) {
  accounts_.push_back(account);
  account.moved_ = 0;
  account.recently_moved_ = static_cast<float>(account.memory_credit());
  account.recently_ = kFirstSeconds;
  account.rested_ = 0;
  if (!timer_.armed()) runtime_.arm(timer_, kLookEvery);
  const Address* address = account.counted_address();
  if (address == nullptr) return;
  const AddressKey key = AddressKey::of(*address);
  MemoryPlace& place = places_[key];
  place.key = key;
  place.held += account.held_;
  ++place.accounts;
  account.place_ = &place;
}

void MemoryKeeper::leave(MemoryAccount& account) {
  static_cast<ListHook<MemoryTag>&>(account).unlink();
  account.waits_ = false;
  if (accounts_.empty()) runtime_.cancel(timer_);
  if (MemoryPlace* place = std::exchange(account.place_, nullptr)) {
    BERTH_DCHECK(place->held >= account.held_);
    place->held -= account.held_;
    if (--place->accounts > 0) return;
    tell(*place);
    places_.erase(place->key);
  }
}

MemoryKeeper::~MemoryKeeper() {
  while (!accounts_.empty()) leave(accounts_.front());
}

void MemoryKeeper::tell(MemoryPlace& place) {
  if (place.held == place.told && place.told == 0) return;
  place.total = tell_address_total(place.key, place.told, place.held);
  place.told = place.held;
}

// It holds more than before.
void MemoryKeeper::look(MemoryAccount& account) {
  budget_ = account.memory_budget();
  MemoryPlace* place = account.place_;
  if (place != nullptr && place->held > place->told + kAddressStep) tell(*place);
  if (is_short(account)) runtime_.turn.later(*this);
}

// --- What is short.

bool MemoryKeeper::is_short(const MemoryAccount& account) const {
  if (account.held_ > connection_share(budget_)) return true;
  const MemoryPlace* place = account.place_;
  if (place != nullptr && place->over_all() > address_share(budget_)) return true;
  return buffered_memory() > short_from(budget_);
}

bool MemoryKeeper::must_wait(MemoryAccount& account) {
  if (!account.linked()) join(account);
  budget_ = account.memory_budget();
  if (!is_short(account)) return false;
  account.waits_ = true;
  runtime_.turn.later(*this);
  return true;
}

bool MemoryKeeper::holds_too_much(const MemoryAccount& account) const {
  return account.held_ > connection_share(budget_) / 4 * 3 &&
         seconds_to_drain(account) >= kPatience;
}

// --- Time.

void MemoryKeeper::measure(MemoryAccount& account) {
  constexpr float kSeconds = std::chrono::duration<float>(kLookEvery).count();
  account.rested_ = account.moved_ > 0 ? 0 : account.rested_ + kSeconds;
  account.recently_moved_ =
      account.recently_moved_ * kFade + static_cast<float>(std::exchange(account.moved_, 0));
  account.recently_ = account.recently_ * kFade + kSeconds;
}

double MemoryKeeper::seconds_to_drain(const MemoryAccount& account) const {
  if (pressed_ && account.rested_ >= kPressedRest) return kNever;
  const double moved =
      static_cast<double>(account.recently_moved_) + static_cast<double>(account.moved_);
  if (moved < 1) return kNever;
  return static_cast<double>(account.held_) * static_cast<double>(account.recently_) / moved;
}

void MemoryKeeper::on_timer(event::Timer&) {
  accounts_.for_each([this](MemoryAccount& account) {
    if (account.held_ <= MemoryAccount::kSmall && !account.waits_) {
      leave(account);
    } else {
      budget_ = account.memory_budget();
      measure(account);
    }
  });
  if (accounts_.empty()) return;
  for (auto& [key, place] : places_) tell(place);
  settle();
  runtime_.arm(timer_, kLookEvery);
}

void MemoryKeeper::run() {
  settle();
}

// --- Who loses.

void MemoryKeeper::settle() {
  Accounts all;
  pressed_ = false;
  accounts_.for_each([&](MemoryAccount& account) {
    all.push_back(&account);
    pressed_ = pressed_ || (account.waits_ && account.keeps_others_waiting());
  });
  patience_ = pressed_ ? kPressedPatience : kPatience;
  const double patience = patience_;
  for (MemoryAccount* account : all) {
    if (account->held_ <= connection_share(budget_)) continue;
    Accounts one{account};
    end_slowest(one, [&] { return account->held_ > connection_share(budget_); });
  }
  for (auto& [key, place] : places_) {
    if (place.over_all() <= address_share(budget_)) continue;
    Accounts here;
    for (MemoryAccount* account : all) {
      if (account->place_ == &place) here.push_back(account);
    }
    end_slowest(here, [&, at = &place] { return at->over_all() > address_share(budget_); });
  }
  if (buffered_memory() > short_from(budget_)) {
    end_slowest(all, [&] {
      patience_ = std::min(patience, patience_of_all());
      return buffered_memory() > short_from(budget_);
    });
  }
  pressed_ = false;
  wake_those_who_wait();
}

// The nearer to the budget, the less.
double MemoryKeeper::patience_of_all() const {
  const uint64_t held = buffered_memory();
  if (held >= budget_) return 0;
  const double room = static_cast<double>(budget_ - held);
  return kPatience * std::min(1.0, room / static_cast<double>(budget_ - short_from(budget_)));
}

template <class Short>
void MemoryKeeper::end_slowest(Accounts& accounts, const Short& still_short) {
  std::stable_sort(accounts.begin(), accounts.end(),
                   [this](const MemoryAccount* a, const MemoryAccount* b) {
                     const double x = seconds_to_drain(*a);
                     const double y = seconds_to_drain(*b);
                     return x != y ? x > y : a->held_ > b->held_;
                   });
  for (MemoryAccount* account : accounts) {
    while (still_short() && account->held_ > MemoryAccount::kSmall &&
           seconds_to_drain(*account) >= patience_) {
      const size_t before = account->held_;
      const Address* loser = account->counted_address();
      last_loser_ = loser != nullptr ? *loser : Address();
      account->end_largest();
      ++losses_;
      if (account->held_ >= before) break;
    }
  }
}

std::string MemoryKeeper::last_loser() const {
  return last_loser_.kind() == AddressKind::None ? "many clients" : last_loser_.to_string();
}

void MemoryKeeper::wake_those_who_wait() {
  Accounts waiting;
  accounts_.for_each([&](MemoryAccount& account) {
    if (account.waits_) waiting.push_back(&account);
  });
  for (MemoryAccount* account : waiting) {
    if (is_short(*account)) continue;
    account->waits_ = false;
    account->on_memory();
  }
}

}  // namespace berth::net
