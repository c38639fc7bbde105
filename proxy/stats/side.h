// The families of one side (listeners, servers, queues), one call for each.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/stats/families.h"
#include "proxy/stats/stats.h"

namespace berth::stats {

// All families that take their labels and their numbers from the same objects: listeners, servers
// or queues. `Item` has `stats`, a pointer to counters of type `Stats`, and labels_of(item).
// is_unused(item): it has nothing to tell yet, so zeros of reasons and empty histograms are left
// out.
template <class Item, class Stats>
class Side {
 public:
  Side(Families& out, const std::vector<Item>& items) : out_(out), items_(items) {}

  void counter(std::string name, std::string help, Counter Stats::*field) {
    auto& family = out_.counter(std::move(name), std::move(help));
    for (const Item& item : items_) add_value(family, labels_of(item), (*item.stats).*field);
  }

  void gauge(std::string name, std::string help, Gauge Stats::*field) {
    auto& family = out_.gauge(std::move(name), std::move(help));
    for (const Item& item : items_) add_value(family, labels_of(item), (*item.stats).*field);
  }

  template <class Bounds>
  void histogram(std::string name, std::string help, Histogram<Bounds> Stats::*field) {
    auto& family = out_.histogram(std::move(name), std::move(help));
    for (const Item& item : items_) {
      const Histogram<Bounds>& histogram = (*item.stats).*field;
      if (is_unused(item) && histogram.empty()) continue;
      add_histogram(family, labels_of(item), histogram);
    }
  }

  // One series for each value of one more label.
  template <class E, size_t N>
  void counters(std::string name, std::string help, std::string_view label,
                const EnumArray<E, std::string_view, N>& values,
                EnumArray<E, Counter, N> Stats::*field) {
    split(out_.counter(std::move(name), std::move(help)), label, values, field);
  }
  template <class E, size_t N>
  void gauges(std::string name, std::string help, std::string_view label,
              const EnumArray<E, std::string_view, N>& values,
              EnumArray<E, Gauge, N> Stats::*field) {
    split(out_.gauge(std::move(name), std::move(help)), label, values, field);
  }

  // One series for each reason that can occur there.
  void reasons(std::string name, std::string help, ReasonKind kind, ReasonCounters Stats::*field) {
    auto& family = out_.counter(std::move(name), std::move(help));
    for (const Item& item : items_) {
      const bool unused = is_unused(item);
      for (size_t at = 0; at < kCloseReasonCount; ++at) {
        const auto reason = static_cast<CloseReason>(at);
        const Counter& counter = ((*item.stats).*field)[reason];
        if (counter.value() == 0 && (unused || !is(reason, kind))) continue;
        add_value(family, with(labels_of(item), "reason", info(reason).label), counter);
      }
    }
  }

  // A number that the item's facts know; no series where there are none.
  template <class Read>
  void fact(std::string name, std::string help, Read read) {
    auto& family = out_.gauge(std::move(name), std::move(help));
    for (const Item& item : items_) {
      if (item.facts != nullptr)
        add_value(family, labels_of(item), static_cast<double>(read(*item.facts)));
    }
  }

  Families& out() { return out_; }
  const std::vector<Item>& items() const { return items_; }

 private:
  template <class E, class Number, size_t N>
  void split(MetricFamily& family, std::string_view label,
             const EnumArray<E, std::string_view, N>& values,
             EnumArray<E, Number, N> Stats::*field) {
    for (const Item& item : items_) {
      add_each(family, labels_of(item), label, values, (*item.stats).*field);
    }
  }

  Families& out_;
  const std::vector<Item>& items_;
};

}  // namespace berth::stats
