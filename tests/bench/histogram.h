// Latencies in nanoseconds, kept in buckets that are at most 1.6 % wide.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace berth::bench {

class Histogram {
 public:
  void add(uint64_t ns) {
    ++counts_[index_of(ns)];
    ++total_;
  }

  void clear() { *this = Histogram(); }

  // The upper edge of the bucket that holds the given share (0 to 1) of the values; 0 when empty.
  [[nodiscard]] uint64_t percentile(double share) const {
    const auto rank = static_cast<uint64_t>(share * static_cast<double>(total_));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank || (seen == total_ && seen > 0)) return upper_edge(i);
    }
    return 0;
  }

 private:
  static constexpr unsigned kSubBits = 6;  // 64 linear steps for each power of two
  static constexpr uint64_t kSub = 1 << kSubBits;

  static size_t index_of(uint64_t value) {
    if (value < kSub) return value;
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
    return (shift + 1) * kSub + ((value >> shift) - kSub);
  }

  static uint64_t upper_edge(size_t index) {
    if (index < kSub) return index;
    const uint64_t shift = index / kSub - 1;
    return ((index % kSub + kSub + 1) << shift) - 1;
  }

  std::array<uint64_t, (65 - kSubBits) * kSub> counts_{};
  uint64_t total_ = 0;
};

}  // namespace berth::bench
