#include "proxy/http/upgrade.h"

#include "proxy/http/literal.h"

namespace berth::http {

std::string_view why_not_upgraded(const ResponseHead& head, const UpgradeOffer* offer) {
  if (offer == nullptr) return "101 to a request that asked for no upgrade";
  const HeaderField* protocol = head.fields.find(HeaderId::Upgrade);
  if (protocol == nullptr) return "101 without Upgrade";
  if (!equals_nocase(protocol->value, offer->protocol)) return "101 for another protocol";
  if (offer->accept.empty()) return {};
  const HeaderField* accept = head.fields.find("Sec-WebSocket-Accept");
  if (accept == nullptr) return "101 without Sec-WebSocket-Accept";
  return accept->value == offer->accept ? std::string_view() : "a wrong Sec-WebSocket-Accept";
}

}  // namespace berth::http
