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
  const bool has_rules = !rules.headers.set.empty() || !rules.headers.remove.empty();
  const auto ours = [&](std::string_view name) {
    return !has_rules || !overridden(rules.headers, name);
  };
  ForwardedHead out;
  out.bytes = net::ByteBuffer::with_capacity(upper_bound(head, received_size, client, rules));
  http::HeadWriter writer(out.bytes.tail(), out.bytes.room());
  writer.request_line(head.method_text, head.path);
  writer.fields(head.fields, [&](const HeaderField& field) {
    if (field.hop_by_hop || rules.filter.drops(field)) return false;
    if (field.id == HeaderId::Expect) return rules.expect && head.expect_continue;
    return true;
  });
  // HTTP/1.0 may come without; an absolute-form target says it all the same.
  const bool may_lack_host = head.summary.minor_version == 0;
  if (may_lack_host && head.fields.find(HeaderId::Host) == nullptr && ours("Host")) {
    writer.field("Host", head.host.empty() ? rules.upstream : head.host);
  }

  char ip_text[net::Address::kMaxIpText];
  const std::string_view ip(ip_text, client.peer.write_ip(ip_text));
  if (ours("X-Forwarded-For")) write_forwarded_for(writer, head, client, ip);
  if (ours("X-Forwarded-Proto")) {
    write_unless_kept(writer, head, client.trusted, HeaderId::XForwardedProto, "X-Forwarded-Proto",
                      client.secure ? "https" : "http");
  }
  if (ours("X-Forwarded-Host") && !head.host.empty()) {
    write_unless_kept(writer, head, client.trusted, HeaderId::XForwardedHost, "X-Forwarded-Host",
                      head.host);
  }
  const bool via = rules.forwarding.via && !rules.instance.empty();
  if (via && ours("Via")) write_via(writer, head, client, rules.instance);
  if (rules.forwarding.forwarded && ours("Forwarded")) write_forwarded(writer, head, client, ip);
  if (!client.subject.empty() && ours(client.subject_header)) {
    writer.field(client.subject_header, client.subject);
  }
  size_t id_at = 0;
  size_t id_size = 0;
  if (rules.forwarding.request_id && ours("X-Request-Id")) {
    const HeaderField* given = client.trusted ? head.fields.find(HeaderId::XRequestId) : nullptr;
    const bool keep_given = given != nullptr && !given->value.empty();
    const std::string_view id = keep_given ? given->value : rules.fresh_id;
    writer.field("X-Request-Id", id);
    id_size = id.size();
    id_at = writer.size() - 2 - id_size;
  }
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
  out.request_id = out.bytes.view().substr(id_at, id_size);
  out.method = out.bytes.view().substr(0, head.method_text.size());
  out.target = keep(out.bytes, head.target);
  out.host = keep(out.bytes, head.host);
  out.user_agent = keep(out.bytes, value_of(head, HeaderId::UserAgent));
  out.referer = keep(out.bytes, value_of(head, HeaderId::Referer));
  if (rules.client != nullptr) {
    char client_ip[net::Address::kMaxIpText];
    out.client_ip = keep(out.bytes, {client_ip, rules.client->write_ip(client_ip)});
  }
  return out;
}

}  // namespace berth::exchange
