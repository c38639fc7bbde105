// An array with one element for each value of an enum, indexed by the enum.
#pragma once

#include <array>
#include <cstddef>

#include "proxy/base/check.h"

namespace berth {

// E: an enum whose N values are 0 to N - 1.
template <class E, class T, size_t N>
struct EnumArray {
  std::array<T, N> values;

  constexpr T& operator[](E at) { return values[index(at)]; }
  constexpr const T& operator[](E at) const { return values[index(at)]; }
  static constexpr size_t size() { return N; }
  constexpr auto begin() { return values.begin(); }
  constexpr auto end() { return values.end(); }
  constexpr auto begin() const { return values.begin(); }
  constexpr auto end() const { return values.end(); }

  static constexpr size_t index(E at) {
    const auto place = static_cast<size_t>(at);
    BERTH_DCHECK(place < N);
    return place;
  }
};

}  // namespace berth
