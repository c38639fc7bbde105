// What each client address holds over all workers.
//
// A worker tells what its clients hold every tenth of a second, and in between when that has
// changed by more than kStep: so a total is never wrong by more than that for each worker, but for
// a tenth of a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proxy/net/address.h"

namespace berth::net {

// An address without its port; of IPv6 the /64, which is what one customer has.
struct AddressKey {
  std::array<uint8_t, 8> bytes{};
  AddressKind kind = AddressKind::None;

  static AddressKey of(const Address& address);
  bool operator==(const AddressKey&) const = default;
  struct Hash {
    size_t operator()(const AddressKey& key) const;
  };
};

inline constexpr size_t kAddressStep = 256 * 1024;

// A worker's part of it was `before` and is `now`; returns the sum over all workers. Thread: any.
size_t tell_address_total(const AddressKey& key, size_t before, size_t now);

}  // namespace berth::net
