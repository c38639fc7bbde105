// Counters by status code with a bounded label set: each code below has its own, any other counts
// as its class.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/stats/counter.h"

namespace berth::stats {

// 499: the client left before there was a response.
inline constexpr std::array<uint16_t, 42> kStatusCodes = {
    101, 200, 201, 202, 203, 204, 205, 206, 207, 300, 301, 302, 303, 304,
    307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412,
    413, 414, 415, 416, 417, 422, 429, 431, 499, 500, 501, 502, 503, 504};
// Behind them one slot for each class: other 1xx, 2xx, 3xx, 4xx, 5xx and up.
inline constexpr size_t kStatusSlots = kStatusCodes.size() + 5;

namespace detail {
constexpr std::array<uint8_t, 1000> make_status_slots() {
  std::array<uint8_t, 1000> slots{};
  for (size_t code = 0; code < slots.size(); ++code) {
    size_t status_class = code / 100;
    if (status_class < 1) status_class = 1;
    if (status_class > 5) status_class = 5;
    slots[code] = static_cast<uint8_t>(kStatusCodes.size() + status_class - 1);
  }
  for (size_t i = 0; i < kStatusCodes.size(); ++i) slots[kStatusCodes[i]] = static_cast<uint8_t>(i);
  return slots;
}
inline constexpr auto kStatusSlot = make_status_slots();
}  // namespace detail

constexpr size_t status_slot(uint16_t code) {
  return detail::kStatusSlot[code < 1000 ? code : 999];
}

// "200", or "2xx" for the slot of a class.
std::string_view status_slot_label(size_t slot);

using StatusCounters = std::array<Counter, kStatusSlots>;

// Indexed by http::Method (this folder does not know http/: the caller passes the index) and status
// slot.
inline constexpr size_t kMethodSlots = 10;
inline constexpr std::array<std::string_view, kMethodSlots> kMethodLabels = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "other"};
using RequestCounters = std::array<StatusCounters, kMethodSlots>;

}  // namespace berth::stats
