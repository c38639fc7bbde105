#include "proxy/exchange/trusted_proxies.h"

#include <charconv>
#include <cstring>

namespace berth::exchange {

namespace {

constexpr size_t kMappedPrefix = 12;

std::array<uint8_t, 16> as_v6(const net::Address& address) {
  if (address.kind() == net::AddressKind::V6) return address.ip();
  std::array<uint8_t, 16> out{};
  out[10] = out[11] = 0xff;
  std::memcpy(out.data() + kMappedPrefix, address.ip().data(), 4);
  return out;
}

bool same_prefix(const std::array<uint8_t, 16>& a, const std::array<uint8_t, 16>& b,
                 unsigned bits) {
  const size_t whole = bits / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const unsigned rest = bits % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xff00U >> rest;
  return ((a[whole] ^ b[whole]) & mask & 0xff) == 0;
}

}  // namespace

TrustedProxies::TrustedProxies(const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    if (entry == "unix:") {
      unix_ = true;
      continue;
    }
    const size_t slash = entry.find('/');
    const std::string ip = entry.substr(0, slash);
    const bool v6 = ip.find(':') != std::string::npos;
    const auto address = net::Address::parse(v6 ? "[" + ip + "]:0" : ip + ":0");
    if (!address) continue;
    unsigned bits = v6 ? 128 : 32;
    if (slash != std::string::npos) {
      std::from_chars(entry.data() + slash + 1, entry.data() + entry.size(), bits);
    }
    if (!v6) bits += 8 * kMappedPrefix;
    blocks_.push_back({as_v6(*address), static_cast<uint8_t>(std::min(bits, 128U))});
  }
}

bool TrustedProxies::contains(const net::Address& peer) const {
  if (peer.kind() == net::AddressKind::Unix) return unix_;
  if (blocks_.empty() || peer.kind() == net::AddressKind::None) return false;
  const std::array<uint8_t, 16> ip = as_v6(peer);
  const bool v4 = peer.kind() == net::AddressKind::V4;
  for (const Block& block : blocks_) {
    // A wide IPv6 block ("::/0") covers the mapped form of IPv4 too, but nobody means that by it.
    if (v4 && block.bits < 8 * kMappedPrefix) continue;
    if (same_prefix(ip, block.ip, block.bits)) return true;
  }
  return false;
}

}  // namespace berth::exchange
