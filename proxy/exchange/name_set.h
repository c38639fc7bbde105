// Names of fields as app servers may read them: case does not count, and "_" is "-", which CGI and
// its heirs cannot tell apart.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::exchange {

bool same_name(std::string_view a, std::string_view b);

// Immutable while requests are served; then any thread may ask.
class NameSet {
 public:
  // "X-Forwarded-*": all names that begin so.
  void add(std::string_view name);

  // Nearly every name is told apart by its first letter and its length.
  bool contains(std::string_view name) const { return may_contain(name) && search(name); }

 private:
  static constexpr size_t kLongest = 31;  // from here on lengths are not told apart
  // "_" and "-" are the same letter.
  static size_t letter(char c) { return static_cast<uint8_t>(c == '_' ? '-' : c) & 31U; }
  static uint32_t length_bit(size_t size) {
    return uint32_t{1} << (size < kLongest ? size : kLongest);
  }
  bool may_contain(std::string_view name) const {
    return (lengths_[letter(name.front())] & length_bit(name.size())) != 0;
  }
  bool search(std::string_view name) const;

  std::array<uint32_t, 32> lengths_{};  // of the names that begin with each letter
  std::vector<std::string> names_;
  std::vector<std::string> beginnings_;
};

}  // namespace berth::exchange
