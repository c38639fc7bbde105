#include "proxy/stats/counter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "proxy/stats/status_code.h"

namespace berth::stats {
namespace {

using namespace std::chrono_literals;

template <class Bounds>
size_t bucket_of(uint64_t value) {
  Histogram<Bounds> histogram;
  histogram.observe(value);
  for (size_t at = 0; at < Histogram<Bounds>::kBuckets; ++at) {
    if (histogram.bucket(at) == 1) return at;
  }
  return SIZE_MAX;
}

TEST(HistogramTest, BoundsAreInclusive) {
  EXPECT_EQ(bucket_of<LatencyBounds>(0), 0u);
  EXPECT_EQ(bucket_of<LatencyBounds>(100), 0u);
  EXPECT_EQ(bucket_of<LatencyBounds>(101), 1u);
  EXPECT_EQ(bucket_of<LatencyBounds>(60'000'000), LatencyBounds::kBounds.size() - 1);
  EXPECT_EQ(bucket_of<LatencyBounds>(60'000'001), LatencyBounds::kBounds.size());
  EXPECT_EQ(bucket_of<RequestCountBounds>(1), 0u);
  EXPECT_EQ(bucket_of<RequestCountBounds>(2), 1u);
}

TEST(HistogramTest, BoundsAreSorted) {
  EXPECT_TRUE(std::is_sorted(LatencyBounds::kBounds.begin(), LatencyBounds::kBounds.end()));
  EXPECT_TRUE(std::is_sorted(AgeBounds::kBounds.begin(), AgeBounds::kBounds.end()));
  EXPECT_TRUE(
      std::is_sorted(RequestCountBounds::kBounds.begin(), RequestCountBounds::kBounds.end()));
}

TEST(HistogramTest, MergeAddsBucketsAndSum) {
  AgeHistogram one;
  AgeHistogram two;
  one.observe(5);
  two.observe(7);
  two.observe(5'000'000);
  one.merge(two);
  EXPECT_EQ(one.bucket(0), 2u);
  EXPECT_EQ(one.bucket(AgeBounds::kBounds.size()), 1u);
  EXPECT_EQ(one.sum(), 5'000'012u);
}

TEST(UnitsTest, NegativeDurationsCountAsNone) {
  EXPECT_EQ(as_micros(-1s), 0u);
  EXPECT_EQ(as_millis(-1s), 0u);
  EXPECT_EQ(as_micros(1500ns), 1u);
  EXPECT_EQ(as_millis(2s), 2000u);
}

TEST(StatusCodeTest, EveryListedCodeHasItsOwnSlotAndLabel) {
  for (const uint16_t code : kStatusCodes) {
    EXPECT_EQ(status_slot_label(status_slot(code)), std::to_string(code));
  }
}

TEST(StatusCodeTest, OtherCodesCountAsTheirClass) {
  EXPECT_EQ(status_slot_label(status_slot(103)), "1xx");
  EXPECT_EQ(status_slot_label(status_slot(299)), "2xx");
  EXPECT_EQ(status_slot_label(status_slot(399)), "3xx");
  EXPECT_EQ(status_slot_label(status_slot(418)), "4xx");
  EXPECT_EQ(status_slot_label(status_slot(599)), "5xx");
  EXPECT_EQ(status_slot_label(status_slot(999)), "5xx");
  EXPECT_EQ(status_slot_label(status_slot(UINT16_MAX)), "5xx");
}

}  // namespace
}  // namespace berth::stats
