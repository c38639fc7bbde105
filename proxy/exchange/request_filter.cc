#include "proxy/exchange/request_filter.h"

namespace berth::exchange {

namespace {

constexpr std::string_view kOwn[] = {
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "Forwarded",
};

// As they are they frame a message or belong to a connection, and have been dealt with.
constexpr std::string_view kNeverWithUnderscores[] = {
    "Content-Length",   "Transfer-Encoding",  "Keep-Alive",
    "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
};

}  // namespace

RequestFilter::RequestFilter(const config::Forwarding& forwarding, const config::HeaderRules& rules,
                             std::span<const std::string> subject_headers, bool trusted) {
  for (const std::string_view name : kOwn) known_.add(name);
  if (forwarding.request_id || !trusted) known_.add("X-Request-Id");
  for (const std::string& name : subject_headers) known_.add(name);
  for (const auto& [name, value] : rules.set) known_.add(name);
  for (const std::string& name : rules.remove) known_.add(name);
  if (!trusted) {
    for (const std::string& name : forwarding.strip) known_.add(name);
  }
  others_ = known_;
  for (const std::string_view name : kNeverWithUnderscores) others_.add(name);
}

}  // namespace berth::exchange
