#include "proxy/exchange/request_head.h"

#include "proxy/exchange/name_set.h"
#include "proxy/http/head_writer.h"

namespace berth::exchange {

namespace {

using http::HeaderField;
using http::HeaderId;

// Room for everything that Berth adds but the route's own fields: three X-Forwarded-*, Forwarded,
// X-Request-Id, Via, framing.
constexpr size_t kOwnFields = 512;

size_t upper_bound(const http::RequestHead& head, size_t received_size, const ClientFacts& client,
                   const ForwardingRules& rules) {
  // X-Forwarded-For is joined from several fields, X-Forwarded-Host and Forwarded repeat the host;
  // the log's texts come behind: the target, the host, two fields.
  size_t size = 2 * received_size + 4 * head.host.size() + kOwnFields + rules.upstream.size() +
                net::Address::kMaxIpText;
  size += client.subject_header.size() + client.subject.size() + 4;
  for (const auto& [name, value] : rules.headers.set) size += name.size() + value.size() + 4;
  return size;
}

// "for=1.2.3.4;host=...;proto=http" (RFC 7239); what is no token is quoted.
void write_forwarded(http::HeadWriter& out, const http::RequestHead& head,
                     const ClientFacts& client, std::string_view ip) {
  out.append("Forwarded: ");
  if (client.trusted) {
    for (const HeaderField& field : head.fields) {
      if (field.id != HeaderId::Forwarded) continue;
      out.append(field.value);
      out.append(", ");
    }
  }
  switch (client.peer.kind()) {
    case net::AddressKind::V4:
      out.append("for=");
      out.append(ip);
      break;
    case net::AddressKind::V6:
      out.append("for=\"[");
      out.append(ip);
      out.append("]\"");
      break;
    case net::AddressKind::Unix:
    case net::AddressKind::None:
      out.append("for=unknown");
      break;
  }
  if (!head.host.empty()) {
    out.append(";host=\"");
    out.append(head.host);
    out.append("\"");
  }
  out.append(client.secure ? ";proto=https\r\n" : ";proto=http\r\n");
}

void write_forwarded_for(http::HeadWriter& out, const http::RequestHead& head,
                         const ClientFacts& client, std::string_view ip) {
  out.append("X-Forwarded-For: ");
  bool told = false;
  if (client.trusted) {
    for (const HeaderField& field : head.fields) {
      if (field.id != HeaderId::XForwardedFor || field.value.empty()) continue;
      if (told) out.append(", ");
      out.append(field.value);
      told = true;
    }
  }
  // A proxy at a Unix socket has no address: the last one is that of its client.
  if (!told || client.peer.kind() != net::AddressKind::Unix) {
    if (told) out.append(", ");
    out.append(ip);
  }
  out.append("\r\n");
}

// One more hop behind those that the client's own fields tell of.
void write_via(http::HeadWriter& out, const http::RequestHead& head, const ClientFacts& client,
               std::string_view instance) {
  out.append(client.http2                      ? "Via: 2.0 "
             : head.summary.minor_version == 0 ? "Via: 1.0 "
                                               : "Via: 1.1 ");
  out.append(instance);
  out.append("\r\n");
}

// A trusted client's own field, if it has one; otherwise ours.
void write_unless_kept(http::HeadWriter& out, const http::RequestHead& head, bool trusted,
                       HeaderId id, std::string_view name, std::string_view value) {
  const HeaderField* given = trusted ? head.fields.find(id) : nullptr;
  out.field(name, given != nullptr ? given->value : value);
}

// Appends a text for the log behind the head and returns where it is now.
std::string_view keep(net::ByteBuffer& bytes, std::string_view text) {
  const size_t at = bytes.size();
  bytes.append(text);
  return bytes.view().substr(at);
}

std::string_view value_of(const http::RequestHead& head, HeaderId id) {
  const HeaderField* field = head.fields.find(id);
  return field == nullptr ? std::string_view() : field->value;
}

// Whether Berth says something itself: the route's rules do not.
class Ours {
 public:
  explicit Ours(const config::HeaderRules& rules)
      : rules_(rules), has_rules_(!rules.set.empty() || !rules.remove.empty()) {}

  bool operator()(std::string_view name) const { return !has_rules_ || !overridden(rules_, name); }

 private:
  const config::HeaderRules& rules_;
  const bool has_rules_;
};

// What the client has said, less what ends here.
void write_received(http::HeadWriter& out, const http::RequestHead& head,
                    const ForwardingRules& rules, const Ours& ours) {
  out.request_line(head.method_text, head.path);
  out.fields(head.fields, [&](const HeaderField& field) {
    if (field.hop_by_hop || rules.filter.drops(field)) return false;
    if (field.id == HeaderId::Expect) return rules.expect && head.expect_continue;
    return true;
  });
  // HTTP/1.0 may come without; an absolute-form target says it all the same.
  const bool may_lack_host = head.summary.minor_version == 0;
  if (may_lack_host && head.fields.find(HeaderId::Host) == nullptr && ours("Host")) {
    out.field("Host", head.host.empty() ? rules.upstream : head.host);
  }
}

// Who asks, and how the request came here.
void write_origin(http::HeadWriter& out, const http::RequestHead& head, const ClientFacts& client,
                  const ForwardingRules& rules, const Ours& ours) {
  char ip_text[net::Address::kMaxIpText];
  const std::string_view ip(ip_text, client.peer.write_ip(ip_text));
  if (ours("X-Forwarded-For")) write_forwarded_for(out, head, client, ip);
  if (ours("X-Forwarded-Proto")) {
    write_unless_kept(out, head, client.trusted, HeaderId::XForwardedProto, "X-Forwarded-Proto",
                      client.secure ? "https" : "http");
  }
  if (ours("X-Forwarded-Host") && !head.host.empty()) {
    write_unless_kept(out, head, client.trusted, HeaderId::XForwardedHost, "X-Forwarded-Host",
                      head.host);
  }
  const bool via = rules.forwarding.via && !rules.instance.empty();
  if (via && ours("Via")) write_via(out, head, client, rules.instance);
  if (rules.forwarding.forwarded && ours("Forwarded")) {
    write_forwarded(out, head, client, ip);
  }
  if (!client.subject.empty() && ours(client.subject_header)) {
    out.field(client.subject_header, client.subject);
  }
}

// Where a part of the head is.
struct Place {
  size_t at = 0;
  size_t size = 0;
};

Place write_request_id(http::HeadWriter& out, const http::RequestHead& head, bool trusted,
                       const ForwardingRules& rules, const Ours& ours) {
  if (!rules.forwarding.request_id || !ours("X-Request-Id")) return {};
  const HeaderField* given = trusted ? head.fields.find(HeaderId::XRequestId) : nullptr;
  const bool keep_given = given != nullptr && !given->value.empty();
  const std::string_view id = keep_given ? given->value : rules.fresh_id;
  out.field("X-Request-Id", id);
  return {.at = out.size() - 2 - id.size(), .size = id.size()};
}

// What the access log will ask for, behind the head that is in `out` already.
void keep_for_log(ForwardedHead& out, const http::RequestHead& head, const ForwardingRules& rules,
                  Place id) {
  out.request_id = out.bytes.view().substr(id.at, id.size);
  out.method = out.bytes.view().substr(0, head.method_text.size());
  out.target = keep(out.bytes, head.target);
  out.host = keep(out.bytes, head.host);
  out.user_agent = keep(out.bytes, value_of(head, HeaderId::UserAgent));
  out.referer = keep(out.bytes, value_of(head, HeaderId::Referer));
  if (rules.client == nullptr) return;
  char client_ip[net::Address::kMaxIpText];
  out.client_ip = keep(out.bytes, {client_ip, rules.client->write_ip(client_ip)});
}

}  // namespace

bool overridden(const config::HeaderRules& rules, std::string_view name) {
  for (const auto& [set, value] : rules.set) {
    if (same_name(set, name)) return true;
  }
  for (const std::string& removed : rules.remove) {
    if (same_name(removed, name)) return true;
  }
  return false;
}

ForwardedHead forward_head(const http::RequestHead& head, size_t received_size,
                           const ClientFacts& client, const ForwardingRules& rules, bool upgrade) {
  ForwardedHead out;
  out.bytes = net::ByteBuffer::with_capacity(upper_bound(head, received_size, client, rules));
  http::HeadWriter writer(out.bytes.tail(), out.bytes.room());
  const Ours ours(rules.headers);
  write_received(writer, head, rules, ours);
  write_origin(writer, head, client, rules, ours);
  const Place id = write_request_id(writer, head, client.trusted, rules, ours);
  for (const auto& [name, value] : rules.headers.set) writer.field(name, value);
  if (upgrade) {
    writer.append("Connection: upgrade\r\n");
    writer.field("Upgrade", value_of(head, HeaderId::Upgrade));
  }
  if (head.summary.chunked) writer.append("Transfer-Encoding: chunked\r\n");
  writer.finish();
  BERTH_CHECK(!writer.overflowed());

  out.head_size = writer.size();
  out.bytes.grow(out.head_size);
  keep_for_log(out, head, rules, id);
  return out;
}

}  // namespace berth::exchange
