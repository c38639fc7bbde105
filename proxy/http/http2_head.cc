#include "proxy/http/http2_head.h"

#include <algorithm>

#include "proxy/http/authority.h"
#include "proxy/http/body.h"
#include "proxy/http/char_class.h"
#include "proxy/http/head_rules.h"
#include "proxy/http/literal.h"
#include "proxy/http/scan.h"
#include "proxy/http/trailer_rules.h"

namespace berth::http {

namespace {

// RFC 9113 section 8.2.1: a token without upper-case letters.
bool is_field_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return is_class(c, kTokenChar) && !(c >= 'A' && c <= 'Z');
  });
}

// No control bytes, no white space at its ends.
bool is_field_value(std::string_view value) {
  if (value.empty()) return true;
  if (is_space_or_tab(value.front()) || is_space_or_tab(value.back())) return false;
  const char* const end = value.data() + value.size();
  return DefaultScan::value_end(value.data(), end) == end;
}

// RFC 9113 section 8.2.2. TE is another matter: it may say "trailers".
bool is_connection_field(HeaderId id) {
  return id == HeaderId::Connection || id == HeaderId::KeepAlive ||
         id == HeaderId::ProxyConnection || id == HeaderId::TransferEncoding ||
         id == HeaderId::Upgrade;
}

// RFC 9113 section 8.3.1: a path, or "*" of OPTIONS, which the rules of HTTP/1 judge.
bool is_path(std::string_view path) {
  if (path.empty() || (path.front() != '/' && path != "*")) return false;
  const char* const end = path.data() + path.size();
  return DefaultScan::target_end(path.data(), end) == end;
}

constexpr std::string_view kCookie = "cookie";
constexpr size_t kUsualHead = 1024;

}  // namespace

void Http2HeadBuilder::begin(const HeadLimits& limits) {
  limits_ = limits;
  clear();
}

void Http2HeadBuilder::clear() {
  text_.reset();
  for (std::string* text : {&pseudo_text_, &cookies_}) {
    text->clear();
    if (text->capacity() > kUsualHead) text->shrink_to_fit();
  }
  for (Place& place : pseudo_) place = {};
  decoded_ = 0;
  started_ = false;
  has_length_ = false;
  refusal_ = CloseReason::None;
}

void Http2HeadBuilder::add(std::string_view name, std::string_view value) {
  constexpr size_t kLineEnds = 4;  // ": " and CRLF
  decoded_ += name.size() + value.size() + kLineEnds;
  if (decoded_ > limits_.max_head) refuse(CloseReason::HeadTooLarge);
  if (refusal_ != CloseReason::None) return;
  if (!name.empty() && name.front() == ':') {
    add_pseudo(name, value);
  } else {
    add_regular(name, value);
  }
}

void Http2HeadBuilder::add_pseudo(std::string_view name, std::string_view value) {
  constexpr std::string_view kNames[kPseudos] = {":method", ":scheme", ":authority", ":path",
                                                 ":protocol"};
  const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
  const auto which = static_cast<size_t>(found - kNames);
  if (started_ || which == kPseudos || pseudo_[which].seen) {
    refuse(CloseReason::BadPseudoHeader);
    return;
  }
  pseudo_[which] = {.at = static_cast<uint32_t>(pseudo_text_.size()),
                    .size = static_cast<uint32_t>(value.size()),
                    .seen = true};
  pseudo_text_ += value;
}

void Http2HeadBuilder::add_regular(std::string_view name, std::string_view value) {
  if (!started_) write_start();
  if (!is_field_name(name)) {
    refuse(CloseReason::BadHeaderName);
    return;
  }
  if (!is_field_value(value)) {
    refuse(CloseReason::BadHeaderValue);
    return;
  }
  const HeaderId id = header_id(name);
  if (is_connection_field(id) || (id == HeaderId::Te && !equals_nocase<"trailers">(value))) {
    refuse(CloseReason::ConnectionField);
    return;
  }
  if (id == HeaderId::Host && pseudo_[AuthorityField].seen) {
    // Written already. Two answers to "which site?" are refused.
    const bool https = equals_nocase<"https">(pseudo(SchemeField));
    const bool same = is_authority(value) && is_authority(pseudo(AuthorityField)) &&
                      same_authority(value, pseudo(AuthorityField), https ? kHttpsPort : kHttpPort);
    if (!same) refuse(CloseReason::BadHost);
    return;
  }
  if (id == HeaderId::Cookie) {
    if (!cookies_.empty()) cookies_ += "; ";
    cookies_ += value;
    return;
  }
  if (id == HeaderId::ContentLength) has_length_ = true;
  // An extended CONNECT has none; the handshake of HTTP/1.1 gets one from us.
  if (tunnel() && equals_nocase<"sec-websocket-key">(name)) return;
  write_line(name, value);
}

void Http2HeadBuilder::write_line(std::string_view name, std::string_view value) {
  text_.append(name);
  text_.append(": ");
  text_.append(value);
  text_.append("\r\n");
}

// "GET /path HTTP/1.1" and Host, from the pseudo-headers.
void Http2HeadBuilder::write_start() {
  started_ = true;
  text_ = net::ByteBuffer::with_capacity(kUsualHead);
  if (refusal_ != CloseReason::None) return;
  std::string_view method = pseudo(MethodField);
  if (!pseudo_[MethodField].seen) {
    refuse(CloseReason::BadPseudoHeader);
    return;
  }
  if (!is_token(method)) {
    refuse(CloseReason::BadMethod);
    return;
  }
  const bool connect = method == "CONNECT";
  if (tunnel() && !connect) {
    refuse(CloseReason::BadPseudoHeader);
    return;
  }
  if (connect && !tunnel()) {
    // RFC 9113 section 8.5: no scheme and no path. A reverse proxy connects nobody.
    const bool plain =
        !pseudo_[SchemeField].seen && !pseudo_[PathField].seen && pseudo_[AuthorityField].seen;
    refuse(plain ? CloseReason::MethodNotAllowed : CloseReason::BadPseudoHeader);
    return;
  }
  const std::string_view scheme = pseudo(SchemeField);
  if (!pseudo_[PathField].seen ||
      !(equals_nocase<"http">(scheme) || equals_nocase<"https">(scheme))) {
    refuse(CloseReason::BadPseudoHeader);
    return;
  }
  if (pseudo(PathField).size() > limits_.max_target) {
    refuse(CloseReason::TargetTooLong);
    return;
  }
  if (!is_path(pseudo(PathField))) {
    refuse(CloseReason::BadTarget);
    return;
  }
  if (tunnel()) {
    // RFC 9220 section 3: a protocol that is not known.
    if (!equals_nocase<"websocket">(pseudo(ProtocolField))) refuse(CloseReason::MethodNotAllowed);
    method = "GET";
  }
  if (pseudo_[AuthorityField].seen && !is_field_value(pseudo(AuthorityField)))
    refuse(CloseReason::BadHost);
  if (refusal_ != CloseReason::None) return;
  text_.append(method);
  text_.append(" ");
  text_.append(pseudo(PathField));
  text_.append(" HTTP/1.1\r\n");
  if (pseudo_[AuthorityField].seen) write_line("host", pseudo(AuthorityField));
}

Http2HeadBuilder::Outcome Http2HeadBuilder::finish(bool ends, std::string_view websocket_key,
                                                   RequestHead& head) {
  if (!started_) write_start();
  if (!cookies_.empty()) write_line(kCookie, cookies_);
  if (tunnel()) {
    write_line("connection", "upgrade");
    write_line("upgrade", "websocket");
    write_line("sec-websocket-key", websocket_key);
  } else if (!ends && !has_length_) {
    write_line("transfer-encoding", "chunked");
  }
  text_.append("\r\n");
  Outcome outcome{.refusal = refusal_, .size = text_.size(), .tunnel = tunnel()};
  if (outcome.refusal != CloseReason::None) return outcome;
  HeadProgress progress;
  // The lines that we have added are not the client's fault.
  constexpr size_t kOwnBytes = 256;
  constexpr size_t kOwnLines = 4;
  const HeadLimits limits{.max_head = limits_.max_head + kOwnBytes,
                          .max_target = limits_.max_target,
                          .max_fields = limits_.max_fields + kOwnLines};
  const ParseOutcome parsed = HeadParser::parse(text_.view(), limits, progress, head);
  outcome.refusal = parsed.refusal;
  if (parsed.status == ParseStatus::Incomplete) outcome.refusal = CloseReason::BadHeaderValue;
  if (outcome.refusal != CloseReason::None) return outcome;
  const uint64_t length = head.summary.has_length() ? head.summary.content_length : 0;
  if (ends && length > 0) outcome.refusal = CloseReason::BadContentLength;
  if (outcome.tunnel && !head.summary.upgrade) outcome.refusal = CloseReason::BadUpgrade;
  return outcome;
}

// --- Trailers.

void Http2Trailers::begin() {
  text_.clear();
  decoded_ = 0;
  refused_ = false;
}

void Http2Trailers::add(std::string_view name, std::string_view value) {
  decoded_ += name.size() + value.size();
  if (decoded_ > BodyDecoder::kMaxTrailer || !is_field_name(name) || !is_field_value(value)) {
    refused_ = true;  // pseudo-header fields too: a colon is in no token
  }
  const HeaderField field{.name = name, .value = value, .id = header_id(name)};
  if (is_connection_field(field.id)) refused_ = true;
  if (refused_ || !may_be_trailer(field)) return;
  text_.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace berth::http
