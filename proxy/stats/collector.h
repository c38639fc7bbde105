// All metrics of the process, as Prometheus reads them. deploy/prometheus/METRICS.md explains each.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "proxy/stats/process.h"
#include "proxy/stats/registry.h"

namespace berth::stats {

// Reads the registry at every scrape; keeps nothing. Thread: any. What the constructor takes
// outlives the collector.
//
// What a fresh scrape shows, at 0: every series whose labels are known beforehand, with four
// exceptions that keep it short. Close reasons: those that can occur there (close_reason.def).
// Requests by method and code: the common methods with 200 and the 5xx that Berth or a failing app
// answers, which are those that alerts look at. And of a server to which no connection has been
// opened, there are neither reasons nor histograms: there may be thousands of them. A series that
// is left out appears once it counts, and stays.
class Collector final : public prometheus::Collectable {
 public:
  Collector(const Registry& registry, const ProcessSource& process, std::string version);

  std::vector<prometheus::MetricFamily> Collect() const override;

  // The text format, version 0.0.4.
  std::string text() const;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  const Registry& registry_;
  const ProcessSource& process_;
  const std::string version_;
};

}  // namespace berth::stats
