// Which fields of a client's request do not get through to a server, in its head or as a trailer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proxy/config/config.h"
#include "proxy/exchange/name_set.h"
#include "proxy/http/head.h"

namespace berth::exchange {

// Made once for each route and kind of client (trusted or not).
class RequestFilter {
 public:
  RequestFilter() = default;
  // What Berth writes itself, what a listener tells of client certificates (`subject_headers`),
  // what the route's rules name; from clients that are not trusted, what forwarding.strip names;
  // and names that a server could take for those of framing ("Content_Length").
  RequestFilter(const config::Forwarding& forwarding, const config::HeaderRules& rules,
                std::span<const std::string> subject_headers, bool trusted);

  bool drops(const http::HeaderField& field) const {
    if (field.id != http::HeaderId::Other)
      return (known_ >> static_cast<size_t>(field.id) & 1) != 0;
    return others_.contains(field.name);
  }
  // The same for a field that is known by its name only: a trailer.
  bool drops(std::string_view name) const { return others_.contains(name); }

 private:
  uint64_t known_ = 0;  // a bit for each HeaderId
  NameSet others_;      // for all others: what could be taken for one of the table, too
};

// The lines of a trailer section without those that `drop(name)` names.
template <class Drop>
std::string without_lines(std::string_view trailers, Drop&& drop) {
  std::string kept;
  while (!trailers.empty()) {
    const size_t end = trailers.find('\n');
    const std::string_view line = trailers.substr(0, end == std::string_view::npos ? end : end + 1);
    trailers.remove_prefix(line.size());
    if (!drop(line.substr(0, line.find(':')))) kept += line;
  }
  return kept;
}

}  // namespace berth::exchange
