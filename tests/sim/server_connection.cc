#include <algorithm>

#include "proxy/upstream/keepalive_limit.h"
#include "tests/sim/server_model.h"

namespace berth::sim {

namespace {

// A server's announced limit, less the margin that Berth keeps (keepalive_limit.h).
Duration safe_limit(int hint) {
  const Duration announced = std::chrono::seconds(hint);
  return announced - std::max(announced / 5, std::min<Duration>(1s, announced / 2));
}

}  // namespace

ServerConnection::ServerConnection(ServerModel& server, End& end)
    : server_(server),
      end_(end),
      site_(server.site()),
      dice_(site_.world.dice().next()),
      opened_(site_.world.now()) {
  end_.observe(this);
  reads_slowly_ = dice_.percent(server.manners().slow_reading);
  pump();
}

void ServerConnection::on_edge(End&) {
  if (!server_.asleep()) pump();
}

void ServerConnection::wake() {
  pump();
}

void ServerConnection::die(bool with_reset) {
  if (open()) hang_up(with_reset);
  if (!end_.closed()) end_.close();
}

void ServerConnection::hang_up(bool with_reset) {
  site_.world.note("  server %s #%u %s", server_.name().c_str(), link().serial(),
                   with_reset ? "resets" : "closes");
  ++timer_;
  link().closed_idle = served_ > 0 && !answering_ && body_done_ && !end_.fin_arrived();
  if (link().closed_idle)
    server_.idle_closes().closed(site_.world.now() - rests_at_, site_.world.now());
  // Closing with something unread is a RST.
  const bool goes_on_reading = !with_reset && server_.on_half_close() == OnHalfClose::FinAndRead;
  const bool nothing_lost = goes_on_reading || end_.unread().empty();
  if (answering_ && attempt_ != nullptr) {
    // What it has not said yet will not be said; only a body until close does not mind.
    const bool cut_body = until_close_ && !with_reset && !end_.fin_arrived() &&
                          !end_.rst_arrived() && nothing_lost &&
                          end_.written_total() >= body_start_;
    if (cut_body) {
      attempt_->complete = true;
    } else if (end_.written_total() < answer_stop_) {
      attempt_->complete = false;
    }
    if (cut_body) attempt_->body_size = end_.written_total() - body_start_;
  }
  outbox_.clear();
  if (with_reset) {
    end_.reset();
  } else if (goes_on_reading && !end_.rst_arrived()) {
    said_fin_ = true;
    end_.shut_down();
    discard();
  } else {
    end_.close();
  }
}

// Our FIN is sent: the connection is let go, but what still comes is read and not answered.
void ServerConnection::discard() {
  if (over_ && body_done_ && !end_.unread().empty()) {
    site_.world.fail("server #%u: bytes after its last response", link().serial());
  }
  end_.consume(end_.unread().size());
  if (end_.fin_arrived() || end_.rst_arrived()) end_.close();
}

void ServerConnection::pump() {
  if (open()) flush();
  if (open()) read_some();
  if (said_fin_ && !end_.closed()) discard();
}

void ServerConnection::read_some() {
  if (reading_paced_) return;
  while (open() && !end_.unread().empty()) {
    if (over_ && body_done_) {
      site_.world.fail("server #%u: bytes after its last response: '%.60s'", link().serial(),
                       std::string(end_.unread()).c_str());
      return;
    }
    std::string_view bytes = end_.unread();
    if (reads_slowly_) bytes = bytes.substr(0, dice_.between(1, 64));
    if (tunnel_) {
      if (pattern_mismatch(bytes, request_->id, tunnel_got_) != bytes.size()) {
        site_.world.fail("tunnel of request %llu: wrong bytes from the client",
                         static_cast<unsigned long long>(request_->id));
      }
      tunnel_got_ += bytes.size();
      end_.consume(bytes.size());
    } else {
      if (!reader_.started() && !answering_) check_reuse();
      if (unsolicited_at_ != UINT64_MAX && !answering_) {
        hang_up(true);  // it has lost count of what it answers
        return;
      }
      const bool knew_head = reader_.head_complete();
      moved_at_ = site_.world.now();
      const size_t used = reader_.feed(bytes);
      end_.consume(used);
      if (knew_head) check_pace(end_.read_total() - request_start_, head_at_);
      if (reader_.state() == MessageReader::State::Broken) {
        site_.world.fail("server #%u: the proxy sent a broken request: %s", link().serial(),
                         reader_.problem().c_str());
        return;
      }
      if (!knew_head && reader_.head_complete()) on_request_head();
      if (!open()) return;
      if (reader_.state() == MessageReader::State::Done && request_ != nullptr)
        on_request_complete();
      if (used == 0 && end_.written_total() >= answer_stop_ && !outbox_.empty()) {
        hang_up(true);  // it was about to say more than it should, and nobody could know
        return;
      }
      if (used == 0) {
        site_.world.fail("server #%u: bytes behind a request that is not answered: '%.60s'",
                         link().serial(), std::string(bytes).c_str());
        return;
      }
    }
    if (reads_slowly_ && open() && !end_.unread().empty()) {
      reading_paced_ = true;
      site_.world.after(dice_.between(100us, 2ms), [this] {
        reading_paced_ = false;
        on_edge(end_);
      });
      return;
    }
  }
  if (!open() || !end_.unread().empty()) return;
  if (end_.rst_arrived()) {
    hang_up(true);
  } else if (end_.fin_arrived()) {
    on_half_close();
  }
}

// The proxy says nothing more: it wants to be rid of the connection.
void ServerConnection::on_half_close() {
  if (tunnel_) {
    tunnel();
    return;
  }
  const OnHalfClose manner = server_.on_half_close();
  if (manner == OnHalfClose::Ignore) {
    if (!answering_) ++timer_;  // not for being idle either
    return;
  }
  if (!answering_) {
    check_idle_close();
    hang_up(false);
    return;
  }
  // A request that will never be whole is an error to all of them.
  const bool answers = manner == OnHalfClose::Answer && (body_done_ || early_);
  if (answers || half_closed_) return;
  half_closed_ = true;
  ++timer_;  // it is not answered any more
  hang_up_within(0ms, 14ms);
}

// The proxy has closed an idle connection of a server that announces nothing: as late as it may,
// for all that it can know.
void ServerConnection::check_idle_close() {
  const Mark* heard = passing(link().arrivals, answer_end_);
  const Scenario& s = site_.scenario;
  const bool by_age = s.idle_closes_by_age && site_.configurations == 1;
  if (!by_age || served_ == 0 || heard == nullptr) return;
  const TimePoint now = site_.world.now();
  const Duration idle = now - heard->at;
  const auto believed = server_.idle_closes().may_be_believed(heard->at);
  Duration limit = upstream::idle_limit(-1, std::nullopt, believed).limit;
  // More than max_idle close when they have been surplus for a second.
  if (s.upstream.pool.max_idle < s.upstream.pool.max_connections)
    limit = std::min<Duration>(limit, 1s);
  if (idle + 5ms < limit) {
    site_.world.fail("server #%u: closed after %.3f s idle, its limit is %.3f s", link().serial(),
                     to_seconds(idle), to_seconds(limit));
  }
  if (believed && idle > *believed + 1s) site_.ledger.count("outlived what was learned");
  server_.idle_closes().outlived(heard->at, idle, now);
}

void ServerConnection::hang_up_within(Duration least, Duration most) {
  site_.world.after(dice_.between(least, most), [this] {
    server_.when_awake([this] {
      if (open()) hang_up(false);
    });
  });
}

// The first byte of another request: was it allowed to be sent?
void ServerConnection::check_reuse() {
  ++timer_;  // the keep-alive timer no longer counts
  request_start_ = end_.read_total();
  if (served_ == 0) return;
  const Mark* sent = passing(link().writes, request_start_ + 1);
  const Mark* heard = passing(link().arrivals, answer_end_);
  const config::Pool& pool = site_.scenario.upstream.pool;
  const PoolLimits& limits = site_.pool_limits[server_.name()];
  if (heard != nullptr &&
      heard->at - opened_ > pool.keepalive_time + site_.scenario.most_lag + 3ms) {
    site_.world.fail("server #%u: used after keepalive_time", link().serial());
  }
  if (max_left_ == 0) site_.world.fail("server #%u: a request beyond its max=", link().serial());
  if (sent == nullptr || heard == nullptr) return;
  if (served_ >= limits.keepalive_requests(sent->at, site_.hears_within())) {
    site_.world.fail("server #%u: more than keepalive_requests", link().serial());
  }
  const Duration idle = sent->at - heard->at;
  if (unsolicited_at_ != UINT64_MAX) check_unsolicited(*sent, idle);
  if (hinted_ < 0) check_learned(*heard, idle);
  // A worker reads the clock once per turn, and its timers have ticks.
  const Duration slack = site_.scenario.most_lag + 3ms;
  const auto configured = limits.keepalive_timeout(sent->at, site_.hears_within());
  Duration limit = hinted_ >= 0 ? safe_limit(hinted_) : configured.value_or(4s);
  if (configured) limit = std::min(limit, *configured);
  if (idle > limit + slack) {
    site_.world.fail("server #%u: used after %.3f s idle, its limit was %.3f s", link().serial(),
                     to_seconds(idle), to_seconds(limit));
  }
}

// A server that announces nothing, and has been seen twice to close at the same age, is not used up
// to that age again.
void ServerConnection::check_learned(const Mark& heard, Duration idle) {
  const Scenario& s = site_.scenario;
  const bool steady =
      server_.manners().polite && s.reloads == 0 && s.restarts == 0 && s.sleeps == 0;
  const Duration slack = s.most_lag + 2 * s.server_link.most_delay + 5ms;
  if (!steady || server_.idle_closes_told(heard.at - slack) < 2) return;
  const Duration closes_after = server_.manners().keepalive + slack;
  const Duration limit =
      closes_after - std::max(closes_after / 5, std::min<Duration>(1s, closes_after / 2));
  if (idle > limit + slack) {
    site_.world.fail("server #%u: used after %.3f s idle, though it was seen to close after %.3f s",
                     link().serial(), to_seconds(idle), to_seconds(server_.manners().keepalive));
  }
}

// Bytes that answer nothing lie before this request's answer: could the proxy know?
void ServerConnection::check_unsolicited(const Mark& sent, Duration idle) {
  const Mark* read = passing(link().reads, unsolicited_at_ + 1);
  const Mark* arrived = passing(link().arrivals, unsolicited_at_ + 1);
  if (read != nullptr && read->order < sent.order) {
    site_.world.fail("server #%u: used although bytes lay behind its last response",
                     link().serial());
  } else if (arrived != nullptr && arrived->order < sent.order &&
             idle > 1s + site_.scenario.most_lag) {
    site_.world.fail("server #%u: used without a look after %.3f s idle", link().serial(),
                     to_seconds(idle));
  }
}

// Nobody who is slower than the minimum rates holds a connection for long.
void ServerConnection::check_pace(uint64_t bytes, TimePoint since) {
  const config::Listener& limits = site_.scenario.listener;
  const uint64_t rate = limits.min_body_rate;  // the other one is the same
  if (site_.scenario.client.crawling == 0 || reads_slowly_ || server_.manners().pieces > 0) return;
  // What is in hand at the beginning is all of the patience; twice that, for it may begin anew.
  const Duration held = site_.world.now() - since;
  const Duration owed = held - 2 * limits.body_timeout - site_.scenario.longest_sleep - 1s;
  if (to_seconds(owed) * static_cast<double>(rate) > static_cast<double>(bytes)) {
    site_.world.fail("server #%u: held for %.3f s, in which %llu bytes were moved", link().serial(),
                     to_seconds(held), static_cast<unsigned long long>(bytes));
  }
}

// An upload that trickles is received first, wherever it may be.
void ServerConnection::check_holder() {
  const Scenario& s = site_.scenario;
  const bool received_first =
      s.upstream.request_body != config::RequestBody::Stream && s.spool.max_size > 400'000;
  if (request_->crawls && !request_->sent && received_first) {
    site_.world.fail("request %llu trickles, and holds a connection",
                     static_cast<unsigned long long>(request_->id));
  }
}

void ServerConnection::on_request_head() {
  const Message& head = reader_.message();
  if (head.word(1) == kHealthPath) {
    answer_check();
    return;
  }
  answering_ = true;
  answer_stop_ = UINT64_MAX;  // nothing has been said yet
  head_at_ = site_.world.now();
  body_done_ = false;
  then_ = Then::KeepAlive;
  early_ = false;
  until_close_ = false;
  ++served_;
  const uint64_t id = head.number("X-Sim-Id", 0);
  request_ = site_.ledger.request(id);
  site_.world.note("  server %s #%u: %s", server_.name().c_str(), link().serial(),
                   head.start_line.c_str());
  if (request_ == nullptr) {
    site_.world.fail("server #%u: a request that nobody sent: '%s'", link().serial(),
                     head.start_line.c_str());
    return;
  }
  ++request_->heads_seen;
  site_.world.mix(id);
  check_request_head(head);
  check_last(head);
  check_tls(head);
  check_holder();
  attempt_ = &site_.ledger.new_attempt();
  attempt_->request = id;
  attempt_->connection = this;
  attempt_->server = server_.index();
  attempt_->begins = end_.written_total();
  const bool body_to_come = reader_.state() != MessageReader::State::Done;
  early_ = body_to_come && dice_.permille(server_.manners().early);
  asked_for_body_ = head.find("Expect") == nullptr;
  if (early_) {
    answer();
  } else if (head.find("Expect") != nullptr && dice_.percent(80)) {
    asked_for_body_ = true;
    moved_at_ = site_.world.now();
    say("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

TimePoint ServerConnection::rests_since() const {
  const bool wants_more = answering_ && !body_done_ && !early_ && !tunnel_ && asked_for_body_ &&
                          !reads_slowly_ && !end_.closed() && !end_.fin_arrived() &&
                          !end_.rst_arrived() && end_.unread().empty();
  return wants_more ? moved_at_ : TimePoint::max();
}

// A health check of the proxy: one answer, and that was it.
void ServerConnection::answer_check() {
  site_.world.note("  server %s #%u: a health check", server_.name().c_str(), link().serial());
  checked_ = true;
  say(std::string("HTTP/1.1 ") + (server_.well() ? "200 OK" : "503 Busy") +
      "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

void ServerConnection::check_request_head(const Message& head) {
  const auto id = static_cast<unsigned long long>(request_->id);
  const std::string path = "/r/" + std::to_string(request_->id);
  if (request_->garbage) site_.world.fail("request %llu, which is nonsense, was sent on", id);
  if (head.value("Host") != request_->host || server_.host() != request_->host) {
    site_.world.fail("request %llu for %s went to %s of %s", id, request_->host.c_str(),
                     head.value("Host").c_str(), server_.host().c_str());
  }
  const std::string fill = head.value("X-Fill");
  if (fill.size() != request_->fill || pattern_mismatch(fill, request_->id, 0) != fill.size()) {
    site_.world.fail("request %llu: a field has changed", id);
  }
  if (head.word(0) != request_->method || head.word(1) != path || head.word(2) != "HTTP/1.1") {
    site_.world.fail("request %llu arrived as '%s'", id, head.start_line.c_str());
  }
  if (request_->heads_seen > 1 && !request_->idempotent) {
    site_.world.fail("request %llu (%s) was applied twice", id, request_->method.c_str());
  }
  if (request_->dropped) {
    site_.world.fail("request %llu was sent on although its connection had been given up", id);
  }
  if (head.value("X-Forwarded-For") != request_->client_ip || head.count("X-Forwarded-For") != 1) {
    site_.world.fail("request %llu: X-Forwarded-For is '%s'", id,
                     head.value("X-Forwarded-For").c_str());
  }
  if (head.find("X-Hop") != nullptr || head.find("Keep-Alive") != nullptr) {
    site_.world.fail("request %llu: a hop-by-hop field came through", id);
  }
  if (head.count("Host") != 1 || head.count("X-Request-Id") != 1) {
    site_.world.fail("request %llu: Host or X-Request-Id is not there once", id);
  }
  if (request_->upgrade != head.lists("Connection", "upgrade")) {
    site_.world.fail("request %llu: Connection is '%s'", id, head.value("Connection").c_str());
  }
  // Berth answers it itself, unless the server is to see everything as it comes.
  const bool streams = site_.scenario.upstream.request_body == config::RequestBody::Stream;
  if ((head.find("Expect") != nullptr) != (streams && request_->expects)) {
    site_.world.fail("request %llu: Expect is '%s'", id, head.value("Expect").c_str());
  }
  if (request_->chunked != (head.value("Transfer-Encoding") == "chunked")) {
    site_.world.fail("request %llu: its framing has changed", id);
  }
}

// A connection that was made with settings that a reload has changed carries no request that came
// after the reload. A client's connection is what it was made.
void ServerConnection::check_tls(const Message& head) {
  const auto id = static_cast<unsigned long long>(request_->id);
  const Link& client = *request_->link;
  const char* const scheme = client.tls.empty() ? "http" : "https";
  if (head.value("X-Forwarded-Proto") != scheme) {
    site_.world.fail("request %llu came over %s, and X-Forwarded-Proto is '%s'", id, scheme,
                     head.value("X-Forwarded-Proto").c_str());
  }
  const Duration delay = site_.hears_within();
  if (!site_.listener_tls_eras.in_effect_since(client.tls, client.accepted_at - delay)) {
    site_.world.fail("request %llu: its client was accepted with settings that were gone: '%s'", id,
                     client.tls.c_str());
  }
  if (!site_.scenario.tls || request_->began == TimePoint::max()) return;
  if (!site_.tls_eras[server_.host()].in_effect_since(link().tls, request_->began - delay)) {
    site_.world.fail(
        "server #%u: request %llu came over a connection with settings that were gone: '%s'",
        link().serial(), id, link().tls.c_str());
  }
}

// The last request that a connection may carry says so, and the server closes: it need not be asked
// to.
void ServerConnection::check_last(const Message& head) {
  asked_to_close_ = head.lists("Connection", "close") && dice_.percent(70);
  const Mark* sent = passing(link().writes, request_start_ + 1);
  if (sent == nullptr || request_->upgrade || head.lists("Connection", "close")) return;
  const PoolLimits& limits = site_.pool_limits[server_.name()];
  if (served_ >= limits.keepalive_requests(sent->at, site_.hears_within())) {
    site_.world.fail("server #%u: request %llu is its last, and does not say so", link().serial(),
                     static_cast<unsigned long long>(request_->id));
  }
}

void ServerConnection::on_request_complete() {
  RequestRecord& request = *request_;
  const Message& message = reader_.message();
  const auto id = static_cast<unsigned long long>(request.id);
  if (message.body.size() != request.body_size ||
      pattern_mismatch(message.body, request.id, 0) != message.body.size()) {
    site_.world.fail("request %llu: its body is not what the client sent (%zu of %llu bytes)", id,
                     message.body.size(), static_cast<unsigned long long>(request.body_size));
  }
  if (request.trailers != !message.trailers.empty()) {
    site_.world.fail("request %llu: trailers '%s'", id, message.trailers.c_str());
  }
  body_done_ = true;
  if (!early_) {
    answer();
  } else if (!answering_) {
    rest();  // the rest of the body has come behind the answer
  }
}

// Everything has been said, or the client has shut down its side.
void ServerConnection::tunnel() {
  if (!outbox_.empty()) return;
  if (tunnel_fin_first_) end_.shut_down();
  if (!end_.fin_arrived() || !end_.unread().empty()) return;
  if (request_->tunnel_shut && tunnel_got_ != request_->tunnel_bytes) {
    site_.world.fail("tunnel of request %llu: %llu of %llu bytes arrived",
                     static_cast<unsigned long long>(request_->id),
                     static_cast<unsigned long long>(tunnel_got_),
                     static_cast<unsigned long long>(request_->tunnel_bytes));
  }
  if (server_.on_half_close() == OnHalfClose::Ignore) return;
  answering_ = false;
  hang_up(false);
}

void ServerConnection::say(std::string text) {
  outbox_ += text;
  flush();
}

void ServerConnection::flush() {
  while (!outbox_.empty() && !paced_ && open()) {
    const ServerManners& manners = server_.manners();
    size_t piece = outbox_.size();
    const bool in_pieces = dice_.percent(manners.pieces) && piece > 1;
    if (in_pieces) piece = dice_.between(1, piece - 1);
    bool error = false;
    const size_t taken = end_.write(std::string_view(outbox_).substr(0, piece), error);
    if (error) {
      hang_up(true);
      return;
    }
    outbox_.erase(0, taken);
    if (answering_ && !tunnel_ && then_ != Then::Stall && spoke_at_ >= head_at_) {
      check_pace(end_.written_total() - answer_start_, spoke_at_);
    }
    if (outbox_.empty()) break;
    if (taken < piece) return;  // an edge will follow
    paced_ = true;
    site_.world.after(dice_.between(0us, 3ms), [this] {
      paced_ = false;
      on_edge(end_);
    });
    return;
  }
  if (outbox_.empty() && checked_ && open()) {
    hang_up(false);
    return;
  }
  if (outbox_.empty() && answering_ && attempt_ != nullptr && attempt_->status != 0) said_all();
}

// The answer, as far as it goes, is on its way.
void ServerConnection::said_all() {
  if (tunnel_) {
    tunnel();
    return;
  }
  if (then_ == Then::Stall) return;
  answering_ = false;
  answer_end_ = attempt_->ends = end_.written_total();
  // Closing with unread input is an RST: no clean end.
  const bool goes_on_reading = server_.on_half_close() == OnHalfClose::FinAndRead;
  if (until_close_ && !goes_on_reading && !end_.unread().empty()) attempt_->complete = false;
  attempt_->may_break_off = until_close_ && !body_done_;
  attempt_ = nullptr;
  switch (then_) {
    case Then::Stall:
      return;
    case Then::Fin:
    case Then::Close:
      hang_up(false);
      return;
    case Then::Rst:
      hang_up(true);
      return;
    case Then::CloseLater:
      over_ = true;
      hang_up_within(1ms, 3s);
      return;
    case Then::KeepAlive:
      break;
  }
  if (body_done_) rest();
}

// Between two requests.
void ServerConnection::rest() {
  reader_ = MessageReader();
  request_ = nullptr;
  if (!open()) return;
  if (hinted_ == 0) {
    hang_up(false);
    return;
  }
  if (end_.fin_arrived() && end_.unread().empty()) {
    on_half_close();
    return;
  }
  rests_at_ = site_.world.now();
  arm_keepalive();
  if (dice_.permille(server_.manners().unsolicited)) {
    site_.world.after(dice_.between(0ms, 2s), [this, timer = timer_] {
      if (timer == timer_ && open() && !server_.asleep()) speak_unasked();
    });
  }
}

void ServerConnection::arm_keepalive() {
  site_.world.after(server_.manners().keepalive, [this, timer = ++timer_] {
    server_.when_awake([this, timer] {
      if (timer == timer_ && open()) keepalive_over();
    });
  });
}

void ServerConnection::keepalive_over() {
  link().closed_by_timer = true;
  hang_up(dice_.permille(server_.manners().reset_idle));
}

}  // namespace berth::sim
