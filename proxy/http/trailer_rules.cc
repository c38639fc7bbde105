#include "proxy/http/trailer_rules.h"

#include <algorithm>

#include "proxy/http/literal.h"

namespace berth::http {

bool may_be_trailer(const HeaderField& field) {
  if (field.id != HeaderId::Other) return false;
  constexpr std::string_view kBarred[] = {
      "content-encoding",
      "content-range",
      "content-location",
      "range",
      "if-match",
      "if-none-match",
      "if-modified-since",
      "if-unmodified-since",
      "if-range",
      "max-forwards",
      "pragma",
      "www-authenticate",
      "location",
      "vary",
      "age",
      "expires",
  };
  return std::none_of(std::begin(kBarred), std::end(kBarred),
                      [&](std::string_view barred) { return equals_nocase(field.name, barred); });
}

}  // namespace berth::http
