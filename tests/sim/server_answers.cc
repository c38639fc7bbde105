// What a simulated server answers.
#include <algorithm>

#include "proxy/net/websocket_accept.h"
#include "tests/sim/server_model.h"

namespace berth::sim {

namespace {

std::string chunked(const std::string& body, Dice& dice, bool trailers) {
  std::string out;
  for (size_t at = 0; at < body.size();) {
    const size_t size = dice.between(1, body.size() - at);
    char line[24];
    std::snprintf(line, sizeof line, "%zx\r\n", size);
    out += line;
    out.append(body, at, size);
    out += "\r\n";
    at += size;
  }
  return out + (trailers ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n");
}

}  // namespace

void ServerConnection::answer() {
  const Duration think = dice_.between(server_.manners().least_think, server_.manners().most_think);
  site_.world.after(think, [this, timer = ++timer_] {
    server_.when_awake([this, timer] {
      if (timer == timer_ && open()) speak();
    });
  });
}

// A client that leaves cancels its request. (What came together with the request's last bytes is
// noticed a second later.)
void ServerConnection::check_client_is_there() {
  const Scenario& s = site_.scenario;
  if (!body_done_ || request_->left == TimePoint::max() || end_.fin_arrived()) return;
  const Duration travel = 2 * (s.client_link.most_delay + s.server_link.most_delay);
  const Duration allowed = 1s + travel + 4 * s.most_lag + 50ms;
  const Duration since = site_.world.now() - std::max(request_->left, moved_at_);
  if (since <= allowed) return;
  site_.world.fail("server #%u: request %llu is served, %.3f s after its client has left",
                   link().serial(), static_cast<unsigned long long>(request_->id),
                   to_seconds(since));
}

void ServerConnection::speak() {
  check_client_is_there();
  const ServerManners& m = server_.manners();
  if (dice_.permille(m.fin_before) || dice_.permille(m.rst_before)) {
    attempt_->complete = false;
    hang_up(dice_.percent(50));
    return;
  }
  if (dice_.permille(m.stall_before)) {
    attempt_->complete = false;
    attempt_->status = 1;
    then_ = Then::Stall;
    return;
  }
  const uint64_t before = end_.written_total() + outbox_.size();
  unsolicited_at_ = UINT64_MAX;
  spoke_at_ = site_.world.now();
  answer_start_ = end_.written_total();
  const std::string text = compose(reader_.message(), *attempt_);
  answer_stop_ = std::min(before + text.size(), unsolicited_at_);
  site_.world.note("  server %s #%u answers request %llu: %d, %llu bytes, serial %llu%s",
                   server_.name().c_str(), link().serial(),
                   static_cast<unsigned long long>(attempt_->request), attempt_->status,
                   static_cast<unsigned long long>(attempt_->body_size),
                   static_cast<unsigned long long>(attempt_->serial),
                   attempt_->complete ? "" : " (not to its end)");
  say(text);
}

std::string ServerConnection::connection_fields() {
  const ServerManners& m = server_.manners();
  using MaxStyle = ServerManners::MaxStyle;
  hinted_ = -1;
  max_left_ = -1;
  const bool last = m.max_style == MaxStyle::ConstantThenClose && served_ >= m.max_requests;
  if (last || asked_to_close_ || dice_.permille(m.close_after)) {
    then_ = dice_.permille(m.close_lazily) ? Then::CloseLater : Then::Close;
    over_ = true;
    return "Connection: close\r\n";
  }
  std::string parameters;
  if (m.hints) {
    hinted_ =
        static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(m.keepalive).count());
    parameters = "timeout=" + std::to_string(hinted_);
    if (hinted_ == 0) over_ = true;
  }
  if (m.max_style == MaxStyle::ConstantThenClose) {
    parameters += (parameters.empty() ? "max=" : ", max=") + std::to_string(m.max_requests);
  } else if (m.max_style == MaxStyle::Countdown) {
    max_left_ = static_cast<int>(m.max_requests) - static_cast<int>(served_);
    parameters += (parameters.empty() ? "max=" : ", max=") + std::to_string(max_left_);
  }
  if (parameters.empty()) return {};
  return "Connection: keep-alive\r\nKeep-Alive: " + parameters + "\r\n";
}

std::string ServerConnection::compose(const Message& request, AttemptRecord& attempt) {
  const ServerManners& m = server_.manners();
  std::string text;
  if (dice_.permille(m.interim))
    text += "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n";
  if (request_->upgrade && dice_.percent(70)) {
    attempt.status = 101;
    attempt.tunnel = true;
    attempt.body_size = dice_.between(0, 2000);
    tunnel_ = true;
    tunnel_fin_first_ = dice_.percent(50);
    text +=
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: "
        "websocket\r\nX-Sim-Serial: " +
        std::to_string(attempt.serial) + "\r\nX-Sim-Id: " + std::to_string(attempt.request) +
        "\r\n";
    const std::string key = request.value("Sec-WebSocket-Key");
    if (!key.empty()) text += "Sec-WebSocket-Accept: " + net::websocket_accept(key) + "\r\n";
    text += "\r\n";
    link().upgrade_at(end_.written_total() + outbox_.size() + text.size());
    append_pattern(text, attempt.serial, 0, attempt.body_size);
    return text;
  }
  constexpr int kStatuses[] = {200, 200, 200, 201, 404, 500};
  constexpr int kEmptyStatuses[] = {204, 304};
  attempt.status = dice_.permille(m.no_content) ? dice_.of(kEmptyStatuses) : dice_.of(kStatuses);
  const bool empty = attempt.status == 204 || attempt.status == 304;
  attempt.body_size =
      dice_.permille(m.large) ? dice_.between(60'000, 300'000) : dice_.between(0, 400);
  if (empty) attempt.body_size = 0;
  const bool to_head = request.word(0) == "HEAD";
  const bool until_close = !empty && !to_head && dice_.permille(m.until_close);
  until_close_ = until_close;
  const bool http10 = dice_.permille(m.http10);
  const bool coded = !empty && !until_close && !http10 && dice_.percent(40);
  text += std::string(http10 ? "HTTP/1.0 " : "HTTP/1.1 ") + std::to_string(attempt.status) +
          " Fine\r\n";
  text += "X-Sim-Id: " + std::to_string(attempt.request) + "\r\n";
  text += "X-Sim-Serial: " + std::to_string(attempt.serial) + "\r\n";
  if (dice_.percent(20)) {
    const bool wide = link().manners().window > 100;
    attempt.fill = dice_.between(1, wide && dice_.percent(20) ? 3000 : 100);
    text += "X-Fill: ";
    append_pattern(text, attempt.serial, 0, attempt.fill);
    text += "\r\n";
  }
  std::string fields = connection_fields();
  if (until_close) {
    fields = dice_.percent(50) && !http10 ? "" : "Connection: close\r\n";
    hinted_ = -1;
    max_left_ = -1;
    over_ = true;
    then_ = Then::Close;
  } else if (http10 && fields.empty()) {
    over_ = true;
    then_ = Then::Close;
  }
  text += fields;
  if (coded) {
    text += "Transfer-Encoding: chunked\r\n";
  } else if (!empty && !until_close) {
    text += "Content-Length: " + std::to_string(attempt.body_size) + "\r\n";
  }
  text += "\r\n";
  const size_t head_size = text.size();
  if (!to_head && !empty) {
    std::string body;
    append_pattern(body, attempt.serial, 0, attempt.body_size);
    text += coded ? chunked(body, dice_, dice_.percent(20)) : body;
  }
  if (to_head) attempt.body_size = 0;
  if (until_close) {
    body_start_ = end_.written_total() + outbox_.size() + head_size;
    cut(text, head_size, attempt);
    return text;
  }
  if (!request_->upgrade && dice_.permille(m.garbage)) {
    constexpr const char* kGarbage[] = {
        "HTTP/1.1 2OO Fine\r\n\r\n",
        "\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 Fine\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n"};
    attempt.complete = false;
    then_ = Then::Stall;
    return dice_.of(kGarbage);  // (101 would be welcome to a request for an upgrade)
  }
  if (dice_.permille(m.leftover)) {
    unsolicited_at_ = end_.written_total() + outbox_.size() + text.size();
    text += dice_.percent(30) ? std::string("x") : unasked_response();
    return text;
  }
  cut(text, head_size, attempt);
  return text;
}

// Hangs up at any byte, or stops speaking there.
void ServerConnection::cut(std::string& text, size_t head_size, AttemptRecord& attempt) {
  const ServerManners& m = server_.manners();
  const bool fin = dice_.permille(m.fin_within);
  const bool rst = !fin && dice_.permille(m.rst_within);
  const bool stall = !fin && !rst && dice_.permille(m.stall_within);
  if (!fin && !rst && !stall) return;
  const size_t at = dice_.below(text.size());
  text.resize(at);
  then_ = fin ? Then::Fin : rst ? Then::Rst : Then::Stall;
  attempt.complete = false;
  if (fin && until_close_ && at >= head_size) {
    attempt.complete = true;
    attempt.body_size = at - head_size;
  }
}

// A response that answers nothing.
std::string ServerConnection::unasked_response() {
  AttemptRecord& nobody = site_.ledger.new_attempt();
  nobody.unsolicited = true;
  nobody.status = 408;
  nobody.connection = this;
  return "HTTP/1.1 408 Request Timeout\r\nX-Sim-Serial: " + std::to_string(nobody.serial) +
         "\r\nContent-Length: 0\r\n\r\n";
}

// Bytes on an idle connection: half of a line, or a whole response.
void ServerConnection::speak_unasked() {
  unsolicited_at_ = std::min(unsolicited_at_, end_.written_total());
  site_.world.note("  server %s #%u speaks unasked", server_.name().c_str(), link().serial());
  bool error = false;
  end_.write(dice_.percent(30) ? std::string("x") : unasked_response(), error);
  if (dice_.percent(50)) hang_up(false);
}

}  // namespace berth::sim
