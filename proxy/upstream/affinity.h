// What a request says about the server that it wants.
#pragma once

#include <cstdint>
#include <optional>

namespace berth::upstream {

struct Affinity {
  std::optional<uint64_t> sticky;  // the tag of the server that its cookie names
  std::optional<uint64_t> key;     // what balance: hash goes by

  explicit operator bool() const { return sticky.has_value() || key.has_value(); }
};

}  // namespace berth::upstream
