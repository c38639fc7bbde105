// Metric families under construction: what the collector says in one line for each metric.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/stats/stats.h"

namespace berth::stats {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

inline Labels with(Labels labels, std::string_view name, std::string_view value) {
  labels.push_back({std::string(name), std::string(value)});
  return labels;
}

// Adds one series with a number. The family's type says which kind it is.
inline void add_value(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}
inline void add_value(MetricFamily& family, Labels labels, const Counter& counter) {
  add_value(family, std::move(labels), static_cast<double>(counter.value()));
}
// Workers count on while they are summed, so that a connection on its way from one to another may
// be seen gone from the first and not yet come to the second: never shown as less than none.
inline void add_value(MetricFamily& family, Labels labels, const Gauge& gauge) {
  add_value(family, std::move(labels), static_cast<double>(std::max<int64_t>(gauge.value(), 0)));
}

inline void add_value(MetricFamily& family, Labels labels, const std::atomic<uint64_t>& count) {
  add_value(family, std::move(labels), static_cast<double>(count.load()));
}

// Adds a series for each value of one more label.
template <class E, class Number, size_t N>
void add_each(MetricFamily& family, const Labels& labels, std::string_view label,
              const EnumArray<E, std::string_view, N>& values,
              const EnumArray<E, Number, N>& numbers) {
  for (size_t i = 0; i < N; ++i) {
    const auto at = static_cast<E>(i);
    add_value(family, with(labels, label, values[at]), numbers[at]);
  }
}

// Adds one histogram, in the base unit. Divides by the inverse of the scale, so that 100 us is
// exactly 0.0001.
template <class Bounds>
void add_histogram(MetricFamily& family, Labels labels, const Histogram<Bounds>& histogram) {
  const double per_unit = std::round(1 / Bounds::kScale);
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  auto& out = metric.histogram;
  uint64_t cumulative = 0;
  for (size_t at = 0; at < Histogram<Bounds>::kBuckets; ++at) {
    cumulative += histogram.bucket(at);
    const double bound = at < Bounds::kBounds.size()
                             ? static_cast<double>(Bounds::kBounds[at]) / per_unit
                             : std::numeric_limits<double>::infinity();
    out.bucket.push_back({cumulative, bound});
  }
  out.sample_count = cumulative;
  out.sample_sum = static_cast<double>(histogram.sum()) / per_unit;
}

class Families {
 public:
  MetricFamily& counter(std::string name, std::string help) {
    return add(std::move(name), std::move(help), MetricType::Counter);
  }
  MetricFamily& gauge(std::string name, std::string help) {
    return add(std::move(name), std::move(help), MetricType::Gauge);
  }
  MetricFamily& histogram(std::string name, std::string help) {
    return add(std::move(name), std::move(help), MetricType::Histogram);
  }
  std::vector<MetricFamily> take() { return std::move(all_); }

 private:
  MetricFamily& add(std::string name, std::string help, MetricType type) {
    return all_.emplace_back(MetricFamily{std::move(name), std::move(help), type, {}});
  }
  std::vector<MetricFamily> all_;
};

}  // namespace berth::stats
