// Counts of things that exist. One that falls below none is a fault in the books: debug builds
// stop.
#pragma once

#include <atomic>
#include <type_traits>

#include "proxy/base/check.h"

namespace berth {

// Moves a count by `by`, which may be negative.
template <class Number>
constexpr void move_count(Number& count, int by) {
  static_assert(std::is_unsigned_v<Number>);
  BERTH_DCHECK(by >= 0 || count >= static_cast<Number>(-by));
  count += static_cast<Number>(by);
}

// Takes one away from a count that several threads share.
template <class Number>
void drop_one(std::atomic<Number>& count, std::memory_order order) {
  const Number before = count.fetch_sub(1, order);
  BERTH_DCHECK(before > 0);
  static_cast<void>(before);
}

}  // namespace berth
