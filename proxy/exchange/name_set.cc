#include "proxy/exchange/name_set.h"

#include <algorithm>

#include "proxy/base/letter_case.h"

namespace berth::exchange {

namespace {

char fold(char c) {
  return c == '_' ? '-' : to_lower(c);
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return fold(x) == fold(y); });
}

void NameSet::add(std::string_view name) {
  const bool open = name.ends_with('*');
  if (open) name.remove_suffix(1);
  if (name.empty()) return;
  uint32_t& lengths = lengths_[letter(name.front())];
  if (open) {
    beginnings_.emplace_back(name);
    for (size_t size = name.size(); size < kLongest; ++size) lengths |= length_bit(size);
    lengths |= length_bit(kLongest);
  } else {
    names_.emplace_back(name);
    lengths |= length_bit(name.size());
  }
}

bool NameSet::search(std::string_view name) const {
  const auto is = [name](std::string_view one) { return same_name(one, name); };
  const auto begins = [name](std::string_view one) {
    return same_name(one, name.substr(0, one.size()));
  };
  return std::any_of(names_.begin(), names_.end(), is) ||
         std::any_of(beginnings_.begin(), beginnings_.end(), begins);
}

}  // namespace berth::exchange
