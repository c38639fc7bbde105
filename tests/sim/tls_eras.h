// TLS settings by name, and when each was in the configuration. The simulator has no bytes of TLS:
// every connection remembers the settings that it was made with.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proxy/base/time.h"

namespace berth::sim {

// Of one upstream, or of the listener. "": plain.
class TlsEras {
 public:
  void apply(const std::string& settings, TimePoint now) { eras_.push_back({now, settings}); }
  // The upstream has left the configuration. Whoever is under way there is served by any server
  // that it ever had.
  void leave(TimePoint now) { eras_.push_back({now, kAny}); }
  // Whether the settings were in effect at some moment after `earliest`, or are.
  bool in_effect_since(const std::string& settings, TimePoint earliest) const {
    for (size_t i = 0; i < eras_.size(); ++i) {
      const bool over = i + 1 < eras_.size() && eras_[i + 1].first < earliest;
      if (!over && (eras_[i].second == settings || eras_[i].second == kAny)) return true;
    }
    return false;
  }

 private:
  static constexpr const char* kAny = "*";

  std::vector<std::pair<TimePoint, std::string>> eras_;  // since when
};

}  // namespace berth::sim
