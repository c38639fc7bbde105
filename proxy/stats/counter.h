// Counters that one worker writes and the scraper reads: a plain add for the writer, no shared
// cache line, no locked instruction.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "proxy/base/time.h"

namespace berth::stats {

class Counter {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// May be negative in one worker (a connection that was handed over): only the sum over all workers
// counts.
class Gauge {
 public:
  void add(int64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(int64_t n = 1) { add(-n); }
  void set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Log-linear buckets over unsigned integers, fixed at compile time: `Bounds::kBounds` is a sorted
// array of inclusive upper bounds in the unit of `observe`; one more bucket takes the rest.
template <class Bounds>
class Histogram {
 public:
  static constexpr size_t kBuckets = Bounds::kBounds.size() + 1;

  static size_t bucket_of(uint64_t value) {
    size_t at = 0;
    while (at < Bounds::kBounds.size() && value > Bounds::kBounds[at]) ++at;
    return at;
  }
  void observe(uint64_t value) { observe(value, bucket_of(value)); }
  // `at`: bucket_of(value), for a value that several histograms observe.
  void observe(uint64_t value, size_t at) {
    buckets_[at].add();
    sum_.add(value);
  }
  uint64_t bucket(size_t at) const { return buckets_[at].value(); }
  uint64_t sum() const { return sum_.value(); }
  bool empty() const {
    for (const Counter& bucket : buckets_) {
      if (bucket.value() != 0) return false;
    }
    return true;
  }

  // Adds what another histogram has counted.
  void merge(const Histogram& other) {
    for (size_t at = 0; at < kBuckets; ++at) buckets_[at].add(other.bucket(at));
    sum_.add(other.sum());
  }

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter sum_;
};

// Times, observed in microseconds, exported in seconds: 100 us to 60 s.
struct LatencyBounds {
  static constexpr std::array<uint64_t, 18> kBounds = {
      100,       250,       500,       1'000,      2'500,      5'000,
      10'000,    25'000,    50'000,    100'000,    250'000,    500'000,
      1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
  static constexpr double kScale = 1e-6;
};
// Ages of connections, observed in milliseconds, exported in seconds.
struct AgeBounds {
  static constexpr std::array<uint64_t, 12> kBounds = {
      10, 100, 500, 1'000, 2'000, 4'000, 5'000, 10'000, 60'000, 300'000, 900'000, 3'600'000};
  static constexpr double kScale = 1e-3;
};
// Requests carried by one connection.
struct RequestCountBounds {
  static constexpr std::array<uint64_t, 9> kBounds = {1, 2, 5, 10, 50, 100, 500, 1'000, 10'000};
  static constexpr double kScale = 1;
};

// Bodies, in bytes: 1 KiB to 1 GiB.
struct SizeBounds {
  static constexpr std::array<uint64_t, 7> kBounds = {0,         1'024,      16'384,       262'144,
                                                      4'194'304, 67'108'864, 1'073'741'824};
  static constexpr double kScale = 1;
};

using LatencyHistogram = Histogram<LatencyBounds>;
using SizeHistogram = Histogram<SizeBounds>;
using AgeHistogram = Histogram<AgeBounds>;
using RequestCountHistogram = Histogram<RequestCountBounds>;

inline uint64_t as_micros(Duration d) {
  return d.count() <= 0 ? 0 : static_cast<uint64_t>(d.count()) / 1000;
}
inline uint64_t as_millis(Duration d) {
  return d.count() <= 0 ? 0 : static_cast<uint64_t>(d.count()) / 1'000'000;
}

}  // namespace berth::stats
