#include "proxy/http/cookie.h"

#include "proxy/http/list.h"

namespace berth::http {

namespace {

std::string_view unquote(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

std::optional<std::string_view> find_cookie(const HeaderList& fields, std::string_view name) {
  for (const HeaderField& field : fields) {
    if (field.id != HeaderId::Cookie) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      std::string_view pair = next_part(rest, ';');
      if (pair.find('=') == std::string_view::npos) continue;
      if (next_part(pair, '=') == name) return unquote(trim(pair));
    }
  }
  return std::nullopt;
}

}  // namespace berth::http
