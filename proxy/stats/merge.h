// Adds one set of counters to another, field by field.
#pragma once

#include <array>
#include <cstddef>

#include "proxy/stats/stats.h"

namespace berth::stats {

inline void merge(Counter& into, const Counter& from) {
  into.add(from.value());
}
inline void merge(Gauge& into, const Gauge& from) {
  into.add(from.value());
}

template <class Bounds>
void merge(Histogram<Bounds>& into, const Histogram<Bounds>& from) {
  into.merge(from);
}

template <class T, size_t N>
void merge(std::array<T, N>& into, const std::array<T, N>& from) {
  for (size_t i = 0; i < N; ++i) merge(into[i], from[i]);
}
template <class E, class T, size_t N>
void merge(EnumArray<E, T, N>& into, const EnumArray<E, T, N>& from) {
  merge(into.values, from.values);
}

// The structured bindings name every field: a field that is added to a struct and forgotten here
// does not compile.

inline void merge(ListenerStats& into, const ListenerStats& from) {
  auto& [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13] = into;
  auto& [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13] = from;
  merge(a0, b0), merge(a1, b1), merge(a2, b2), merge(a3, b3), merge(a4, b4);
  merge(a5, b5), merge(a6, b6), merge(a7, b7), merge(a8, b8), merge(a9, b9);
  merge(a10, b10), merge(a11, b11), merge(a12, b12), merge(a13, b13);
}

inline void merge(ServerStats& into, const ServerStats& from) {
  auto& [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
         a20, a21, a22] = into;
  auto& [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19,
         b20, b21, b22] = from;
  merge(a0, b0), merge(a1, b1), merge(a2, b2), merge(a3, b3), merge(a4, b4);
  merge(a5, b5), merge(a6, b6), merge(a7, b7), merge(a8, b8), merge(a9, b9);
  merge(a10, b10), merge(a11, b11), merge(a12, b12), merge(a13, b13), merge(a14, b14);
  merge(a15, b15), merge(a16, b16), merge(a17, b17), merge(a18, b18), merge(a19, b19);
  merge(a20, b20), merge(a21, b21), merge(a22, b22);
}

inline void merge(RouteStats& into, const RouteStats& from) {
  auto& [a0] = into;
  auto& [b0] = from;
  merge(a0, b0);
}

inline void merge(QueueStats& into, const QueueStats& from) {
  auto& [a0, a1, a2, a3] = into;
  auto& [b0, b1, b2, b3] = from;
  merge(a0, b0), merge(a1, b1), merge(a2, b2), merge(a3, b3);
}

inline void merge(WorkerStats& into, const WorkerStats& from) {
  auto& [a0, a1, a2] = into;
  auto& [b0, b1, b2] = from;
  merge(a0, b0), merge(a1, b1), merge(a2, b2);
}

}  // namespace berth::stats
