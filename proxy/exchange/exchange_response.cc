// The second half of an exchange: what the server answers, on its way to the client.
#include "proxy/exchange/affinity.h"
#include "proxy/exchange/exchange.h"

namespace berth::exchange {

void Exchange::on_interim(const http::ResponseHead& head) {
  // Of 100 (Continue) the client has heard from us.
  if (head.status == 100 && !streams()) return;
  if (head.status == 100) awaits_100_ = false;
  stream_.send_interim(head);
}

void Exchange::on_response(const http::ResponseHead& head, std::string_view body, bool complete) {
  answered_at_ = context_.env.now();
  failure_ = CloseReason::None;  // what earlier servers did no longer matters
  detail_.clear();
  if (!feeding()) body_.clear();
  body_kept_ = false;
  if (upgrade_ && head.status / 100 == 2 && stream_.any_2xx_upgrades()) {
    answer(CloseReason::NotUpgraded);
    return;
  }
  response_ = ResponseProgress::Body;
  std::string cookie;
  if (!target_.cluster->settings().sticky.cookie.empty()) cookie = own_cookie();
  stream_.send_head(
      {.head = head,
       .rules = target_.route->response_headers,
       .framing = http::response_framing(head, method_),
       .body = body,
       .complete = complete,
       .trailers = complete && head.summary.chunked ? response_trailers() : std::string_view(),
       .set_cookie = cookie});
  answered_ = body.size();
  if (complete) {
    count_bodies();
    finish_response();
  } else {
    hold_back_server();
  }
}

void Exchange::count_bodies() {
  if (!lease_) return;  // the stream has ended while it was sent: that cancels the exchange
  stats::ServerStats& server = lease_->pool().stats();
  server.request_body.observe(received_);
  server.response_body.observe(answered_);
}

// The route's rules hold for them as for the head.
std::string_view Exchange::response_trailers() {
  const std::string_view all = lease_->trailers();
  if (all.empty()) return all;
  const config::HeaderRules& rules = target_.route->response_headers;
  if (rules.set.empty() && rules.remove.empty()) return all;
  trailers_ = {};
  kept_trailers_ =
      without_lines(all, [&](std::string_view name) { return overridden(rules, name); });
  return kept_trailers_;
}

void Exchange::on_upgraded(const http::ResponseHead& head) {
  answered_at_ = context_.env.now();
  failure_ = CloseReason::None;
  response_ = ResponseProgress::Tunnel;
  stream_.send_upgrade(head, own_cookie());
}

// For a client that did not come with the cookie of the server that has answered it.
std::string Exchange::own_cookie() const {
  const config::Sticky& sticky = target_.cluster->settings().sticky;
  if (sticky.cookie.empty() || affinity_.sticky == server_->tag) return {};
  return sticky_cookie(sticky, server_->tag, over_tls_);
}

void Exchange::on_body(std::string_view bytes, bool complete) {
  if (response_ == ResponseProgress::Tunnel) {
    stream_.send_body(bytes, complete, {});
    if (!complete) {
      hold_back_server();
    } else if (tunnel_.server_ended()) {
      finish_response();
    }
    return;
  }
  stream_.send_body(bytes, complete, complete ? response_trailers() : std::string_view());
  answered_ += bytes.size();
  if (complete) {
    count_bodies();
    finish_response();
  } else {
    hold_back_server();
  }
}

// Stops reading ahead of the client at response_buffer, or at the first byte that the client does
// not take when memory is short. Reading resumes when the client has taken everything, or when
// memory is free again: net/memory_keeper.h ends the clients that take nothing.
void Exchange::hold_back_server() {
  const size_t unsent = stream_.unsent();
  if (unsent == 0 || !lease_) return;  // or the stream has ended while it was sent
  if (unsent <= target_.cluster->settings().response_buffer && !stream_.must_wait_for_memory()) {
    return;
  }
  lease_->pause();
  if (response_ == ResponseProgress::Body) context_.holders.watch(*this);
}

void Exchange::on_memory() {
  if (!lease_ || !response_started()) return;
  if (stream_.unsent() <= target_.cluster->settings().response_buffer) lease_->resume();
}

void Exchange::on_response_drained() {
  if (lease_) lease_->resume();
}

void Exchange::finish_response() {
  response_ = ResponseProgress::Complete;
  upload_slot_.give_back();
  lease_.give_back(CloseReason::None);
  if (body_.in_file()) body_.clear();
  stream_.response_complete();
}

}  // namespace berth::exchange
