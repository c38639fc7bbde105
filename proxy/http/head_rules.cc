#include "proxy/http/head_rules.h"

#include <algorithm>
#include <limits>

#include "proxy/http/authority.h"
#include "proxy/http/list.h"
#include "proxy/http/literal.h"

namespace berth::http {

namespace {

using enum HeaderId;

constexpr uint64_t kFraming = FieldIndex::bit(ContentLength) | FieldIndex::bit(TransferEncoding);

bool has_content(const HeadSummary& summary) {
  return summary.chunked || (summary.has_length() && summary.content_length > 0);
}

// RFC 9110 section 8.6: digits only, no list. At most 2^63 - 1, so that sums with it cannot wrap.
bool parse_content_length(std::string_view text, uint64_t& length) {
  constexpr size_t kMaxDigits = std::numeric_limits<int64_t>::digits10 + 1;
  if (text.empty() || text.size() > kMaxDigits) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (!is_class(c, kDigit)) return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  length = value;
  return value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}

// Codings other than chunked, and then chunked, once: well framed (RFC 9112 section 6.3), though
// Berth does not decode them. All that is unclear is not.
bool ends_in_chunked(const HeaderList& fields) {
  bool chunked = false;
  for (const HeaderField& field : fields) {
    if (field.id != TransferEncoding) continue;
    std::string_view rest = field.value;
    do {
      const bool more = rest.find(',') != std::string_view::npos;
      const std::string_view coding = next_part(rest, ',');
      if (chunked || !is_token(coding) || (more && rest.empty())) return false;
      chunked = equals_nocase<"chunked">(coding);
    } while (!rest.empty());
  }
  return chunked;
}

CloseReason apply_framing(FieldIndex index, const HeaderList& fields, HeadSummary& summary) {
  const bool coded = index.seen(TransferEncoding);
  if (index.seen(ContentLength)) {
    if (coded) return CloseReason::LengthAndChunked;
    const std::string_view value = fields.find(ContentLength)->value;
    if (index.repeated(ContentLength) || !parse_content_length(value, summary.content_length)) {
      return CloseReason::BadContentLength;
    }
  }
  if (coded) {
    const std::string_view value = fields.find(TransferEncoding)->value;
    // HTTP/1.0 does not know it: whoever sent this may be framing the body in another way.
    if (summary.minor_version == 0) return CloseReason::BadTransferEncoding;
    if (index.repeated(TransferEncoding) || !equals_nocase<"chunked">(value)) {
      return ends_in_chunked(fields) ? CloseReason::UnknownTransferCoding
                                     : CloseReason::BadTransferEncoding;
    }
    summary.chunked = true;
  }
  return CloseReason::None;
}

// All Content-Length fields of a response as one, if they say the same (RFC 9112 section 6.3): apps
// set it twice.
bool unite_lengths(HeaderList& fields, uint64_t& length) {
  bool first = true;
  for (HeaderField& field : fields) {
    if (field.id != ContentLength) continue;
    if (field.value.ends_with(',')) return false;
    std::string_view rest = field.value;
    do {
      const std::string_view part = next_part(rest, ',');
      uint64_t value = 0;
      if (!parse_content_length(part, value) || (!first && value != length)) return false;
      if (first) {
        field.line_size = part.size() == field.value.size() ? field.line_size : 0;
        field.value = part;
      } else if (part.data() == field.value.data()) {
        field.hop_by_hop = true;
      }
      length = value;
      first = false;
    } while (!rest.empty());
  }
  return true;
}

// More lenient than a request's: nothing that a server says can be meant for another one, and
// connections on which it was unclear are not used again.
CloseReason apply_response_framing(FieldIndex index, ResponseHead& head) {
  HeadSummary& summary = head.summary;
  const bool coded = index.seen(TransferEncoding);
  const bool both = coded && index.seen(ContentLength);
  if (coded) {
    const std::string_view value = head.fields.find(TransferEncoding)->value;
    if (index.repeated(TransferEncoding) || summary.minor_version == 0 ||
        !equals_nocase<"chunked">(value)) {
      return CloseReason::BadTransferEncoding;
    }
    summary.chunked = true;
    summary.ambiguous_length = both;
  } else {
    const bool plain =
        !index.repeated(ContentLength) &&
        parse_content_length(head.fields.find(ContentLength)->value, summary.content_length);
    if (!plain && !unite_lengths(head.fields, summary.content_length)) {
      return CloseReason::BadContentLength;
    }
  }
  if (both || (summary.has_length() && (head.status < 200 || head.status == 204))) {
    for (HeaderField& field : head.fields) {
      if (field.id == ContentLength) field.hop_by_hop = true;
    }
  }
  return CloseReason::None;
}

// More options than any real message has; it bounds the work of looking for each.
constexpr int kMaxConnectionOptions = 32;

// One value of Connection: its own options, and the fields that it makes hop-by-hop.
bool apply_connection_value(std::string_view value, int& options, HeaderList& fields,
                            HeadSummary& summary, bool& upgrade) {
  if (equals_nocase<"keep-alive">(value)) {
    summary.keep_alive = true;
    return true;
  }
  while (!value.empty()) {
    const std::string_view option = next_part(value, ',');
    if (option.empty()) continue;
    if (++options > kMaxConnectionOptions) return false;
    if (equals_nocase<"keep-alive">(option)) {
      summary.keep_alive = true;
    } else if (equals_nocase<"close">(option)) {
      summary.close = true;
    } else if (equals_nocase<"upgrade">(option)) {
      upgrade = true;
    } else {
      for (HeaderField& field : fields) {
        if (field.id == Other && equals_nocase(field.name, option)) field.hop_by_hop = true;
      }
    }
  }
  return true;
}

CloseReason apply_connection(FieldIndex index, HeaderList& fields, HeadSummary& summary,
                             bool& upgrade) {
  int options = 0;
  for (HeaderField& field : fields) {
    if (field.id != Connection) continue;
    if (!apply_connection_value(field.value, options, fields, summary, upgrade)) {
      return CloseReason::BadHeaderValue;
    }
    if (!index.repeated(Connection)) break;
  }
  return CloseReason::None;
}

// One protocol that may be tunnelled. Not the ones that would change what the bytes mean under
// Berth's feet (h2c, HTTP/2.0, TLS/1.0): RFC 9110 section 7.8 lets a recipient ignore Upgrade.
bool is_tunnel_protocol(std::string_view value) {
  const size_t slash = value.find('/');
  const std::string_view name = value.substr(0, slash);
  if (!is_token(name)) return false;
  if (slash != std::string_view::npos && !is_token(value.substr(slash + 1))) return false;
  return !equals_nocase<"h2c">(name) && !equals_nocase<"h2">(name) &&
         !equals_nocase<"http">(name) && !equals_nocase<"tls">(name);
}

void apply_upgrade(FieldIndex index, const HeaderList& fields, bool wanted, HeadSummary& summary) {
  if (!wanted || !index.seen(Upgrade) || index.repeated(Upgrade)) return;
  if (summary.minor_version == 0) return;  // RFC 9110 section 7.8
  summary.upgrade = is_tunnel_protocol(fields.find(Upgrade)->value);
}

// TE: trailers, as one of the members.
void apply_te(FieldIndex index, const HeaderList& fields, HeadSummary& summary) {
  if (!index.seen(Te) || summary.minor_version == 0) return;
  for (const HeaderField& field : fields) {
    if (field.id != Te) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      if (equals_nocase<"trailers">(next_part(rest, ','))) summary.te_trailers = true;
    }
  }
}

// Of an absolute-form target.
uint16_t port_of_scheme(std::string_view target) {
  constexpr std::string_view kHttp = "http";
  return to_lower(target[kHttp.size()]) == 's' ? kHttpsPort : kHttpPort;
}

CloseReason apply_host(FieldIndex index, RequestHead& head) {
  if (!index.seen(Host)) {
    return head.summary.minor_version == 0 ? CloseReason::None : CloseReason::BadHost;
  }
  const std::string_view host = head.fields.find(Host)->value;
  if (index.repeated(Host) || !is_authority(host)) return CloseReason::BadHost;
  // RFC 9112 section 3.2.2 lets the target win; two different answers to "which site?" are refused,
  // since whoever reads the request next may not know that rule.
  if (!head.host.empty() && !same_authority(head.host, host, port_of_scheme(head.target))) {
    return CloseReason::BadHost;
  }
  head.host = host;
  return CloseReason::None;
}

CloseReason apply_expect(FieldIndex index, RequestHead& head) {
  if (!index.seen(Expect)) return CloseReason::None;
  const std::string_view value = head.fields.find(Expect)->value;
  if (index.repeated(Expect) || !equals_nocase<"100-continue">(value)) {
    return CloseReason::BadExpect;
  }
  // RFC 9110 section 10.1.1: to be ignored in HTTP/1.0, and pointless without content.
  head.expect_continue = head.summary.minor_version >= 1 && has_content(head.summary);
  return CloseReason::None;
}

// A parameter of Keep-Alive. Text that is not digits is left alone: false. Saturates. Of several,
// the smallest counts.
bool take_parameter(std::string_view digits, int32_t& out) {
  if (digits.empty()) return false;
  int64_t value = 0;
  for (const char c : digits) {
    if (!is_class(c, kDigit)) return false;
    value = std::min<int64_t>(value * 10 + (c - '0'), std::numeric_limits<int32_t>::max());
  }
  const auto limit = static_cast<int32_t>(value);
  out = out < 0 ? limit : std::min(out, limit);
  return true;
}

void apply_keep_alive(ResponseHead& head) {
  for (const HeaderField& field : head.fields) {
    if (field.id != KeepAlive) continue;
    std::string_view rest = field.value;
    // All that Node sends.
    constexpr std::string_view kTimeout = "timeout=";
    if (rest.starts_with(kTimeout) &&
        take_parameter(rest.substr(kTimeout.size()), head.keep_alive_timeout)) {
      continue;
    }
    while (!rest.empty()) {
      std::string_view value = next_part(rest, ',');
      const std::string_view name = next_part(value, '=');
      if (equals_nocase<"timeout">(name)) take_parameter(trim(value), head.keep_alive_timeout);
      if (equals_nocase<"max">(name)) take_parameter(trim(value), head.keep_alive_max);
    }
  }
}

}  // namespace

CloseReason apply_rules(FieldIndex index, RequestHead& head) {
  HeadSummary& summary = head.summary;
  summary.has_via = index.seen(Via);
  CloseReason refusal = CloseReason::None;
  if (index.any(kFraming)) {
    refusal = apply_framing(index, head.fields, summary);
    if (refusal != CloseReason::None) return refusal;
  }
  refusal = apply_host(index, head);
  if (refusal != CloseReason::None) return refusal;
  bool upgrade = false;
  if (index.seen(Connection)) {
    refusal = apply_connection(index, head.fields, summary, upgrade);
    if (refusal != CloseReason::None) return refusal;
  }
  if (!index.any(FieldIndex::bit(Expect) | FieldIndex::bit(Te) | FieldIndex::bit(Upgrade))) {
    return CloseReason::None;
  }
  refusal = apply_expect(index, head);
  if (refusal != CloseReason::None) return refusal;
  apply_te(index, head.fields, summary);
  apply_upgrade(index, head.fields, upgrade, summary);
  // A tunnel begins where the head ends, so there is no place for content.
  return summary.upgrade && has_content(summary) ? CloseReason::BadUpgrade : CloseReason::None;
}

CloseReason apply_rules(FieldIndex index, ResponseHead& head) {
  HeadSummary& summary = head.summary;
  summary.has_date = index.seen(Date);
  if (index.any(kFraming)) {
    const CloseReason refusal = apply_response_framing(index, head);
    if (refusal != CloseReason::None) return refusal;
  }
  if (index.seen(Connection)) {
    bool upgrade = false;
    const CloseReason refusal = apply_connection(index, head.fields, summary, upgrade);
    if (refusal != CloseReason::None) return refusal;
    apply_upgrade(index, head.fields, upgrade, summary);
  }
  if (index.seen(KeepAlive)) apply_keep_alive(head);
  return CloseReason::None;
}

CloseReason apply_target_rules(RequestHead& head) {
  if (head.method == Method::Connect || head.method == Method::Trace) {
    return CloseReason::MethodNotAllowed;
  }
  const std::string_view target = head.target;
  if (target.front() == '/') {
    head.path = target;
    return CloseReason::None;
  }
  if (target == "*") {
    head.path = target;
    return head.method == Method::Options ? CloseReason::None : CloseReason::BadTarget;
  }
  size_t scheme = 0;
  if (target.size() > 7 && starts_with_nocase<"http://">(target.data())) scheme = 7;
  if (target.size() > 8 && starts_with_nocase<"https://">(target.data())) scheme = 8;
  if (scheme == 0) return CloseReason::BadTarget;
  const size_t slash = target.find_first_of("/?", scheme);
  head.host = target.substr(scheme, slash - scheme);
  if (!is_authority(head.host)) return CloseReason::BadTarget;
  if (slash == std::string_view::npos) {
    // RFC 9112 section 3.2.4.
    head.path = head.method == Method::Options ? "*" : "/";
    return CloseReason::None;
  }
  head.path = target.substr(slash);
  if (head.path.front() == '?') {
    // RFC 9112 section 3.2.1: an empty path is sent as "/".
    head.own_path.assign("/").append(head.path);
    head.path = head.own_path;
  }
  return CloseReason::None;
}

}  // namespace berth::http
