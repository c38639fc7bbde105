// ClientConnection's output: what the Exchange sends, in HTTP/1 (RFC 9112).
#include <array>

#include "proxy/client/client_connection.h"
#include "proxy/client/client_listener.h"
#include "proxy/client/local_answer.h"
#include "proxy/exchange/request_head.h"
#include "proxy/http/head_writer.h"
#include "proxy/http/literal.h"

namespace berth::client {

namespace {

using enum ClientState;

// Nearly every head fits; one that does not is written again into memory of its own.
constexpr size_t kUsualHead = 8 * 1024;

template <class Write>
std::string_view write_head(std::array<char, kUsualHead>& usual, net::ByteBuffer& large,
                            Write&& fill) {
  http::HeadWriter writer(usual.data(), usual.size());
  fill(writer);
  if (!writer.overflowed()) return writer.text();
  for (size_t size = 16 * kUsualHead;; size *= 4) {
    large = net::ByteBuffer::with_capacity(size);
    http::HeadWriter again(large.tail(), large.room());
    fill(again);
    if (!again.overflowed()) return again.text();
  }
}

iovec part(std::string_view text) {
  return {const_cast<char*>(text.data()), text.size()};
}

}  // namespace

// Whether the connection serves another request after this response, and if not, why. `delimited`:
// the response's end shows without closing.
void ClientConnection::decide_keep_alive(bool delimited) {
  ActiveExchange& active = *active_;
  const config::Listener& settings = listener_.settings();
  CloseReason& why = active.close_reason;
  if (why != CloseReason::None) {
    // decided already
  } else if (active.wants_close) {
    why = active.http10 ? CloseReason::Http10 : CloseReason::CloseRequested;
  } else if (!delimited) {
    why = CloseReason::Http10;
  } else if (!active.body.complete()) {
    why = CloseReason::EarlyResponse;
  } else if (requests_ >= settings.keepalive_requests) {
    why = CloseReason::KeepaliveRequests;
  } else if (listener_.env().now() - birth().opened >= settings.keepalive_time) {
    why = CloseReason::KeepaliveTime;
  } else if (listener_.ending()) {
    why = CloseReason::Shutdown;
  }
}

// Without TLS the field means nothing (RFC 6797 section 7.2).
bool ClientConnection::wants_hsts() const {
  return secure_ && !listener_.hsts().empty();
}

std::string_view ClientConnection::connection_fields() const {
  return active_->close_reason == CloseReason::None ? listener_.keep_alive_fields()
                                                    : "Connection: close\r\n";
}

void ClientConnection::send_continue() {
  const iovec out = part("HTTP/1.1 100 Continue\r\n\r\n");
  write(&out, 1);
}

void ClientConnection::send_interim(const http::ResponseHead& head) {
  // HTTP/1.0 knows no interim responses; 100 is for those who asked (RFC 9110 section 15.2).
  if (active_->http10 || (head.status == 100 && !active_->expects_continue)) return;
  std::array<char, kUsualHead> usual;
  net::ByteBuffer large;
  const std::string_view text = write_head(usual, large, [&](http::HeadWriter& writer) {
    writer.status_line(head.status, head.reason);
    writer.fields(head.fields, [](const http::HeaderField& f) { return !f.hop_by_hop; });
    writer.finish();
  });
  const iovec out = part(text);
  write(&out, 1);
}

void ClientConnection::send_head(const exchange::ResponseStart& start) {
  ActiveExchange& active = *active_;
  const bool known_end =
      start.framing.kind == http::BodyKind::None || start.framing.kind == http::BodyKind::Length;
  if (!known_end && !active.http10) {
    active.framing = ResponseFraming::Chunked;
  } else if (start.framing.kind == http::BodyKind::Length) {
    active.framing = ResponseFraming::Length;
  }
  active.status = start.head.status;
  active.stage = ResponseStage::HeadSent;
  decide_keep_alive(known_end || active.chunked());
  const config::HeaderRules& rules = start.rules;
  const bool has_rules = !rules.set.empty() || !rules.remove.empty();
  const bool hsts = wants_hsts() && !(has_rules && exchange::overridden(rules, kHstsField));
  const bool wants_date =
      !start.head.summary.has_date && !(has_rules && exchange::overridden(rules, "Date"));
  std::array<char, kUsualHead> usual;
  net::ByteBuffer large;
  const std::string_view head = write_head(usual, large, [&](http::HeadWriter& writer) {
    writer.status_line(start.head.status, start.head.reason);
    writer.fields(start.head.fields, [&](const http::HeaderField& f) {
      return !f.hop_by_hop && !(has_rules && exchange::overridden(rules, f.name)) &&
             !(hsts && http::equals_nocase(f.name, kHstsField));
    });
    if (wants_date) writer.field("Date", listener_.date());
    if (hsts) writer.field(kHstsField, listener_.hsts());
    for (const auto& [name, value] : rules.set) writer.field(name, value);
    if (!start.set_cookie.empty()) writer.field("Set-Cookie", start.set_cookie);
    if (active.chunked()) writer.append("Transfer-Encoding: chunked\r\n");
    writer.append(connection_fields());
    writer.finish();
  });
  write_head_and_body(head, start.body, start.complete, start.trailers);
}

void ClientConnection::send_body(std::string_view bytes, bool complete, std::string_view trailers) {
  if (state() == Upgraded) {
    const iovec out = part(bytes);
    active_->body_sent += bytes.size();
    if (!bytes.empty()) write(&out, 1);
    if (complete) {
      active_->stage = ResponseStage::Complete;
      if (out_.empty() && !broken_) transport_->shutdown_write();
    }
    return;
  }
  write_head_and_body({}, bytes, complete, trailers);
}

void ClientConnection::write_head_and_body(std::string_view head, std::string_view body,
                                           bool complete, std::string_view trailers) {
  std::array<iovec, 7> parts;
  int count = 0;
  const auto add = [&](std::string_view text) {
    if (!text.empty()) parts[static_cast<size_t>(count++)] = part(text);
  };
  char size_line[24];
  active_->body_sent += body.size();
  add(head);
  if (active_->chunked() && !body.empty()) {
    add({size_line, http::write_chunk_size(size_line, body.size())});
    add(body);
    add("\r\n");
  } else {
    add(body);
  }
  if (active_->chunked() && complete) {
    add("0\r\n");
    add(trailers);
    add("\r\n");
  }
  if (count > 0) write(parts.data(), count);
}

void ClientConnection::send_upgrade(const http::ResponseHead& head, std::string_view set_cookie) {
  active_->status = head.status;
  active_->stage = ResponseStage::HeadSent;
  active_->close_reason = CloseReason::UpgradeFinished;
  set_state(Upgraded);
  const http::HeaderField* protocol = head.fields.find(http::HeaderId::Upgrade);
  std::array<char, kUsualHead> usual;
  net::ByteBuffer large;
  const std::string_view text = write_head(usual, large, [&](http::HeadWriter& writer) {
    writer.status_line(head.status, head.reason);
    writer.fields(head.fields, [](const http::HeaderField& f) { return !f.hop_by_hop; });
    if (!set_cookie.empty()) writer.field("Set-Cookie", set_cookie);
    writer.append("Connection: upgrade\r\n");
    if (protocol != nullptr) writer.field("Upgrade", protocol->value);
    writer.finish();
  });
  const iovec out = part(text);
  write(&out, 1);
  // What the client has sent behind its request belongs to the tunnel.
  if (!in_.empty() || readable_) {
    readable_ = true;
    listener_.env().runtime.turn.later(*this);
  }
}

void ClientConnection::send_local(const exchange::LocalResponse& response) {
  ActiveExchange& active = *active_;
  active.status = response.status();
  active.stage = ResponseStage::HeadSent;
  decide_keep_alive(true);
  const LocalAnswer answer(response, listener_.date());
  std::array<char, kUsualHead> usual;
  net::ByteBuffer large;
  const std::string_view head = write_head(usual, large, [&](http::HeadWriter& writer) {
    writer.status_line(response.status(), http::reason_phrase(response.status()));
    answer.for_each_field(
        wants_hsts() ? listener_.hsts() : std::string_view(),
        [&](std::string_view name, std::string_view value) { writer.field(name, value); });
    writer.append(connection_fields());
    writer.finish();
  });
  const bool with_body = active.method != http::Method::Head;
  write_head_and_body(head, with_body ? answer.body() : std::string_view(), true, {});
}

void ClientConnection::response_complete() {
  if (state() == Closed) return;
  active_->stage = ResponseStage::Complete;
  set_state(Writing);
  if (broken_) return;  // closed at the end of the turn
  if (out_.empty()) end_exchange();
}

void ClientConnection::pause_request_body() {
  if (active_) active_->body_paused = true;
}

void ClientConnection::resume_request_body() {
  if (!active_ || !active_->body_paused) return;
  active_->body_paused = false;
  if (state() == Active && out_.empty()) expect_body();
  // Not from within the exchange: at the end of the turn.
  readable_ = true;
  listener_.env().runtime.turn.later(*this);
}

}  // namespace berth::client
