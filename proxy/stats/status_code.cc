#include "proxy/stats/status_code.h"

#include "proxy/base/check.h"

namespace berth::stats {
namespace {

struct Label {
  char text[3];
};

constexpr std::array<Label, kStatusSlots> make_labels() {
  std::array<Label, kStatusSlots> labels{};
  for (size_t i = 0; i < kStatusCodes.size(); ++i) {
    const uint16_t code = kStatusCodes[i];
    labels[i] = {{static_cast<char>('0' + code / 100), static_cast<char>('0' + code / 10 % 10),
                  static_cast<char>('0' + code % 10)}};
  }
  for (size_t i = kStatusCodes.size(); i < kStatusSlots; ++i) {
    labels[i] = {{static_cast<char>('1' + (i - kStatusCodes.size())), 'x', 'x'}};
  }
  return labels;
}

constexpr auto kLabels = make_labels();

}  // namespace

std::string_view status_slot_label(size_t slot) {
  BERTH_CHECK(slot < kStatusSlots);
  return {kLabels[slot].text, sizeof(kLabels[slot].text)};
}

}  // namespace berth::stats
