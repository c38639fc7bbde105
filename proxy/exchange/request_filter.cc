#include "proxy/exchange/request_filter.h"

namespace berth::exchange {

namespace {

using http::HeaderId;

constexpr struct {
  HeaderId id;
  std::string_view name;
} kTable[] = {
    {HeaderId::Accept, "Accept"},
    {HeaderId::AcceptEncoding, "Accept-Encoding"},
    {HeaderId::Authorization, "Authorization"},
    {HeaderId::CacheControl, "Cache-Control"},
    {HeaderId::Connection, "Connection"},
    {HeaderId::ContentLength, "Content-Length"},
    {HeaderId::ContentType, "Content-Type"},
    {HeaderId::Cookie, "Cookie"},
    {HeaderId::Date, "Date"},
    {HeaderId::Expect, "Expect"},
    {HeaderId::Forwarded, "Forwarded"},
    {HeaderId::Host, "Host"},
    {HeaderId::IdempotencyKey, "Idempotency-Key"},
    {HeaderId::KeepAlive, "Keep-Alive"},
    {HeaderId::ProxyAuthenticate, "Proxy-Authenticate"},
    {HeaderId::ProxyAuthorization, "Proxy-Authorization"},
    {HeaderId::ProxyConnection, "Proxy-Connection"},
    {HeaderId::Referer, "Referer"},
    {HeaderId::RetryAfter, "Retry-After"},
    {HeaderId::Server, "Server"},
    {HeaderId::SetCookie, "Set-Cookie"},
    {HeaderId::Te, "TE"},
    {HeaderId::Trailer, "Trailer"},
    {HeaderId::TransferEncoding, "Transfer-Encoding"},
    {HeaderId::Upgrade, "Upgrade"},
    {HeaderId::UserAgent, "User-Agent"},
    {HeaderId::Via, "Via"},
    {HeaderId::XForwardedFor, "X-Forwarded-For"},
    {HeaderId::XForwardedHost, "X-Forwarded-Host"},
    {HeaderId::XForwardedProto, "X-Forwarded-Proto"},
    {HeaderId::XRequestId, "X-Request-Id"},
};
static_assert(std::size(kTable) + 1 == http::kHeaderIdCount && http::kHeaderIdCount <= 64);

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
  for (const std::string_view name : kOwn) others_.add(name);
  if (forwarding.request_id || !trusted) others_.add("X-Request-Id");
  for (const std::string& name : subject_headers) others_.add(name);
  for (const auto& [name, value] : rules.set) others_.add(name);
  for (const std::string& name : rules.remove) others_.add(name);
  if (!trusted) {
    for (const std::string& name : forwarding.strip) others_.add(name);
  }
  for (const auto& [id, name] : kTable) {
    if (others_.contains(name)) known_ |= uint64_t{1} << static_cast<size_t>(id);
  }
  for (const std::string_view name : kNeverWithUnderscores) others_.add(name);
}

}  // namespace berth::exchange
