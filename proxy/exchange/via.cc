#include "proxy/exchange/via.h"

#include "proxy/http/list.h"

namespace berth::exchange {

std::string make_instance_name(Random& random) {
  std::string name = "berth-";
  const uint64_t bits = random.next();
  for (unsigned i = 0; i < 16; ++i) name += "0123456789abcdef"[(bits >> (4 * i)) & 15];
  return name;
}

bool has_passed(const http::RequestHead& head, std::string_view instance) {
  if (instance.empty()) return false;
  for (const http::HeaderField& field : head.fields) {
    if (field.id != http::HeaderId::Via) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      // received-protocol, received-by, and maybe a comment.
      std::string_view hop = http::next_part(rest, ',');
      http::next_part(hop, ' ');
      hop = http::trim(hop);
      if (http::next_part(hop, ' ') == instance) return true;
    }
  }
  return false;
}

}  // namespace berth::exchange
