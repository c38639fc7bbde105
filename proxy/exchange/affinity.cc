#include "proxy/exchange/affinity.h"

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>

#include "proxy/base/hash.h"
#include "proxy/exchange/client_address.h"
#include "proxy/http/cookie.h"

namespace berth::exchange {

namespace {

constexpr size_t kDigits = 16;

std::optional<uint64_t> parse_tag(std::string_view text) {
  uint64_t tag = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, tag, 16);
  if (text.size() != kDigits || error != std::errc() || stop != end) return std::nullopt;
  return tag;
}

std::optional<uint64_t> hash_key(const http::RequestHead& head, const config::Hash& hash,
                                 const ClientFacts& client, const TrustedProxies& trusted) {
  switch (hash.by) {
    case config::HashBy::Header: {
      const http::HeaderField* field = head.fields.find(std::string_view(hash.name));
      if (field == nullptr || field->value.empty()) return std::nullopt;
      return hash64(field->value);
    }
    case config::HashBy::Cookie: {
      const auto value = http::find_cookie(head.fields, hash.name);
      if (!value || value->empty()) return std::nullopt;
      return hash64(*value);
    }
    case config::HashBy::ClientAddress:
      break;
  }
  const net::Address address = client_address(head, client, trusted).unmapped();
  // A Unix socket's peers are all the same.
  const bool known =
      address.kind() == net::AddressKind::V4 || address.kind() == net::AddressKind::V6;
  if (!known) return std::nullopt;
  char ip[net::Address::kMaxIpText];
  return hash64({ip, address.write_ip(ip)});
}

std::string_view name_of(config::SameSite same_site) {
  switch (same_site) {
    case config::SameSite::Lax:
      return "Lax";
    case config::SameSite::Strict:
      return "Strict";
    case config::SameSite::None:
      return "None";
  }
  return "Lax";
}

}  // namespace

upstream::Affinity affinity_of(const http::RequestHead& head, const config::Upstream& upstream,
                               const ClientFacts& client, const TrustedProxies& trusted) {
  upstream::Affinity out;
  if (!upstream.sticky.cookie.empty()) {
    const auto cookie = http::find_cookie(head.fields, upstream.sticky.cookie);
    if (cookie) out.sticky = parse_tag(*cookie);
  }
  if (upstream.balance == config::Balance::Hash) {
    out.key = hash_key(head, upstream.hash, client, trusted);
  }
  return out;
}

bool came_over_tls(const http::RequestHead& head, const ClientFacts& client) {
  if (client.secure || !client.trusted) return client.secure;
  const http::HeaderField* field = head.fields.find(http::HeaderId::XForwardedProto);
  return field != nullptr && field->value == "https";
}

std::string sticky_cookie(const config::Sticky& sticky, uint64_t server_tag, bool secure) {
  std::array<char, kDigits> digits;
  for (size_t i = kDigits; i-- > 0; server_tag >>= 4) {
    digits[i] = "0123456789abcdef"[server_tag & 0xf];
  }
  std::string out = sticky.cookie + '=' + std::string(digits.data(), digits.size());
  out += "; Path=" + sticky.path;
  if (sticky.max_age) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*sticky.max_age);
    out += "; Max-Age=" + std::to_string(seconds.count());
  }
  const bool tls_only = sticky.secure == config::CookieSecure::Yes ||
                        (sticky.secure == config::CookieSecure::Auto && secure);
  if (tls_only) out += "; Secure";
  if (sticky.http_only) out += "; HttpOnly";
  out += "; SameSite=";
  out += name_of(sticky.same_site);
  return out;
}

}  // namespace berth::exchange
