// Hashes that are the same in every process and on every machine: for choosing, not for secrets.
#pragma once

#include <cstdint>
#include <string_view>

namespace berth {

// Every bit of the result depends on every bit of `x` (the finalizer of MurmurHash3).
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
  return x ^ (x >> 33);
}

// FNV-1a, mixed.
constexpr uint64_t hash64(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return mix64(hash);
}

}  // namespace berth
