// What a client offers to upgrade its connection to, and whether a 101 fits that (RFC 9110 section
// 7.8, RFC 6455 section 4.2.2).
#pragma once

#include <string>
#include <string_view>

#include "proxy/http/head.h"

namespace berth::http {

struct UpgradeOffer {
  std::string protocol;  // the value of Upgrade
  std::string accept;    // what Sec-WebSocket-Accept has to be; "": it is not looked at
};

// "", or in words why no tunnel may begin with this 101. `offer`: nullptr if the client made none.
std::string_view why_not_upgraded(const ResponseHead& head, const UpgradeOffer* offer);

}  // namespace berth::http
