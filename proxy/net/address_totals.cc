#include "proxy/net/address_totals.h"

#include <cstring>
#include <functional>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace berth::net {

namespace {

// Touched by those only who hold a lot.
struct Totals {
  std::mutex mutex;
  std::unordered_map<AddressKey, size_t, AddressKey::Hash> of;
};

Totals& totals() {
  static Totals all;
  return all;
}

}  // namespace

AddressKey AddressKey::of(const Address& address) {
  AddressKey key;
  const Address plain = address.unmapped();
  key.kind = plain.kind();
  const size_t size = key.kind == AddressKind::V4 ? 4 : key.bytes.size();
  std::memcpy(key.bytes.data(), plain.ip().data(), size);
  return key;
}

size_t AddressKey::Hash::operator()(const AddressKey& key) const {
  const std::string_view bytes(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
  return std::hash<std::string_view>()(bytes) + static_cast<size_t>(key.kind);
}

size_t tell_address_total(const AddressKey& key, size_t before, size_t now) {
  Totals& all = totals();
  const std::lock_guard lock(all.mutex);
  const auto at = all.of.try_emplace(key, 0).first;
  at->second += now - before;
  const size_t sum = at->second;
  if (sum == 0) all.of.erase(at);
  return sum;
}

}  // namespace berth::net
