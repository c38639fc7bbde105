#include "proxy/exchange/client_address.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace berth::exchange {

namespace {

// "1.2.3.4", "::1", "1.2.3.4:5", "[::1]:5", "[::1]".
std::optional<net::Address> parse_element(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '"'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  constexpr size_t kLongest = 64;
  if (text.empty() || text.size() > kLongest || text.starts_with("unix:")) return std::nullopt;
  const std::string ip(text);
  const bool bracketed = text.front() == '[';
  const auto colons = std::count(text.begin(), text.end(), ':');
  if (bracketed) return net::Address::parse(text.back() == ']' ? ip + ":1" : ip);
  if (colons == 1) return net::Address::parse(ip);
  return net::Address::parse(colons > 1 ? "[" + ip + "]:1" : ip + ":1");
}

}  // namespace

net::Address client_address(const http::RequestHead& head, const ClientFacts& client,
                            const TrustedProxies& trusted) {
  if (!client.trusted) return client.peer;
  std::optional<net::Address> first;      // of those that are believed
  std::optional<net::Address> untrusted;  // the last one
  for (const http::HeaderField& field : head.fields) {
    if (field.id != http::HeaderId::XForwardedFor) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const auto address = parse_element(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      if (!address) {
        first.reset();
        untrusted.reset();
        continue;
      }
      if (!first) first = address;
      if (!trusted.contains(*address)) untrusted = address;
    }
  }
  if (untrusted) return *untrusted;
  return first ? *first : client.peer;
}

}  // namespace berth::exchange
