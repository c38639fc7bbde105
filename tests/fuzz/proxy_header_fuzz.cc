// The PROXY header: never reads past what it is given, decides the same however the bytes come, and
// what it has understood it would write the same way.
#include "proxy/net/proxy_header.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using berth::net::ProxyHeader;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data),
                               std::min(size, berth::net::kMaxProxyHeader));
  if (bytes.empty()) return 0;
  const ProxyHeader whole = berth::net::parse_proxy_header(bytes);
  const auto require = [](bool holds) {
    if (!holds) std::abort();
  };
  for (size_t n = 1; n < bytes.size() && n < 300; ++n) {
    const ProxyHeader part = berth::net::parse_proxy_header(bytes.substr(0, n));
    if (part.status == ProxyHeader::Status::Incomplete) continue;
    require(part.status == whole.status && part.size == whole.size && part.source == whole.source);
  }
  if (whole.status != ProxyHeader::Status::Complete) return 0;
  require(whole.size <= bytes.size());
  if (whole.source.kind() == berth::net::AddressKind::None) return 0;
  for (const auto version : {berth::config::ProxyProtocol::V1, berth::config::ProxyProtocol::V2}) {
    const ProxyHeader again = berth::net::parse_proxy_header(
        berth::net::write_proxy_header(version, whole.source, whole.destination));
    require(again.status == ProxyHeader::Status::Complete && again.source == whole.source &&
            again.destination == whole.destination);
  }
  return 0;
}
