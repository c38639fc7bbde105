// Reads Prometheus' text format 0.0.4 back, strictly: what the collector writes has to survive it.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace berth::stats {

using LabelPairs = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  std::string name;   // with _bucket, _sum, _count
  LabelPairs labels;  // values unescaped
  double value = 0;
};

struct Family {
  std::string help;
  std::string type;
  std::vector<Sample> samples;
};

using Exposition = std::map<std::string, Family>;

// Throws std::runtime_error with the line that it does not understand.
Exposition parse_exposition(const std::string& text);

}  // namespace berth::stats
