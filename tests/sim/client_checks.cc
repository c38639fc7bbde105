// What a simulated client makes of the answers that it gets, and of the ends of its connections.
#include <algorithm>

#include "proxy/exchange/holders.h"
#include "tests/sim/client_model.h"
#include "tests/sim/server_model.h"

namespace berth::sim {

namespace {

// A local answer needs a cause that the scenario can give.
bool has_cause(const std::string& label, const Scenario& s, const ServerManners& m) {
  const bool spools = s.upstream.request_body == config::RequestBody::Spool;
  // Pieces of few bytes, with long pauses, are as good as none.
  const bool may_rest =
      s.client.stalls + s.client.slow_writing + s.client.slow_reading + s.client.expects > 0;
  if (label == "client_rested") {
    return may_rest || s.client.crawling > 0 || s.client_link.window <= 300;
  }
  if (label == "spool_full") return s.spool.full();
  if (label == "spool_failed") return s.spool.failures > 0 || (spools && s.spool.max_size == 0);
  if (label == "spool_too_large") return spools && s.spool.max_size < 400'000;
  if (s.client.stalls > 0 &&
      (label == "header_timeout" || label == "body_timeout" || label == "request_stalled" ||
       label == "response_stalled" || label == "response_timeout")) {
    return true;
  }
  if (label == "memory_short") return s.memory_short();
  if (label == "no_route") return s.upstreams > 1 && s.reloads > 0;
  const bool restarts = s.restarts > 0;
  const bool faulty_end = m.fin_before + m.rst_before + m.fin_within + m.rst_within + m.early > 0;
  if (label == "queue_full" || label == "queue_timeout" || label == "upgrade_limit") return true;
  if (label == "header_timeout" || label == "body_timeout") return s.client.slow_writing > 0;
  if (label == "connect_refused")
    return restarts || m.connect_refused + m.connect_fails_at_once > 0;
  if (label == "connect_unreachable" || label == "no_local_resources") {
    return m.connect_fails_at_once > 0 || s.attach_failures > 0;
  }
  if (label == "connect_timeout") {
    // A worker that is late may find the timer due before it has seen that the connection stands.
    const bool close_call = s.upstream.connect_timeout < 1s && m.most_connect + s.most_lag > 20ms;
    return m.connect_silent > 0 || close_call;
  }
  if (label == "server_away") {
    return restarts || !m.polite || has_cause("connect_timeout", s, m);
  }
  if (label == "no_server" && s.by_hand > 0) return true;
  if (label == "no_server") return restarts || !m.polite || s.reloads > 0;
  if (label == "response_timeout")
    return m.stall_before + m.stall_within + m.garbage > 0 || s.sleeps > 0;
  if (label == "bad_response" || label == "unexpected_upgrade" || label == "bad_content_length") {
    return m.garbage + m.leftover + m.unsolicited > 0;
  }
  if (label == "server_closed" || label == "server_reset" || label == "bytes_while_idle") {
    // A server without hints closes when it likes; one with hints only if it has been blocked for
    // too long.
    return restarts || faulty_end || !m.polite || !m.hints || s.sleeps > 0;
  }
  return !m.polite;
}

}  // namespace

// Servers that do nothing worse than to close idle connections without notice cost no idempotent
// request anything.
bool AnswerChecks::should_have_been_replayed(const RequestRecord& request,
                                             const std::string& label) const {
  const Scenario& s = site_.scenario;
  const bool only_idle_closes = s.server.polite && s.server.early == 0 && s.restarts == 0;
  // (Where every server drains, none is left to ask again.)
  const bool may_retry = s.upstream.retry.attempts >= 3 &&
                         s.upstream.retry.budget_min >= s.client.count && s.by_hand == 0;
  // Who is short of memory keeps no body to send it again.
  const bool keeps_bodies = !s.memory_short();
  const bool streams = s.upstream.request_body == config::RequestBody::Stream;
  return only_idle_closes && may_retry && request.idempotent &&
         (keeps_bodies || request.body_size == 0) &&
         request.body_size < s.upstream.request_buffer && !(streams && request.body_size > 0) &&
         !request.upgrade &&
         (label == "server_closed" || label == "server_reset" || label == "stale_reuse");
}

void AnswerChecks::check(const RequestRecord& request, const Message& response) {
  const auto id = static_cast<unsigned long long>(request.id);
  if (request.garbage) {
    if (response.find("Proxy-Status") == nullptr || response.status() < 400 ||
        !response.lists("Connection", "close")) {
      site_.world.fail("client %u: nonsense was answered with '%s'", index_,
                       response.start_line.c_str());
    }
    site_.ledger.count("nonsense refused");
    return;
  }
  if (response.find("Proxy-Status") != nullptr) {
    check_local(request, response);
    return;
  }
  AttemptRecord* attempt = site_.ledger.attempt(response.number("X-Sim-Serial", 0));
  site_.world.note("client %u: request %llu answered: %d, serial %llu", index_, id,
                   response.status(),
                   static_cast<unsigned long long>(response.number("X-Sim-Serial", 0)));
  if (attempt == nullptr) {
    site_.world.fail("client %u: request %llu got an answer that nobody gave: '%s'", index_, id,
                     response.start_line.c_str());
    return;
  }
  if (attempt->unsolicited) {
    check_misdelivery(request, *attempt);
    return;
  }
  site_.ledger.count("answered");
  const std::string fill = response.value("X-Fill");
  if (fill.size() != attempt->fill || pattern_mismatch(fill, attempt->serial, 0) != fill.size()) {
    site_.world.fail("client %u: request %llu: a field of its answer has changed", index_, id);
  }
  if (attempt->request != request.id) {
    site_.world.fail("client %u: request %llu got the answer to request %llu", index_, id,
                     static_cast<unsigned long long>(attempt->request));
  }
  if (response.status() != attempt->status) {
    site_.world.fail("client %u: request %llu: status %d instead of %d", index_, id,
                     response.status(), attempt->status);
  }
  if (!attempt->complete) {
    site_.world.fail("client %u: request %llu: its answer looks complete and is not", index_, id);
  }
  if (response.body.size() != attempt->body_size ||
      pattern_mismatch(response.body, attempt->serial, 0) != response.body.size()) {
    site_.world.fail(
        "client %u: request %llu: the body is not what the server sent (%zu of %llu bytes)", index_,
        id, response.body.size(), static_cast<unsigned long long>(attempt->body_size));
  }
}

// Its answer, or its upload, rested while others waited.
bool AnswerChecks::broken_off_for_rest(const RequestRecord& request) const {
  if (!site_.ledger.ended_for_rest(request)) return false;
  if (!rests_ && !has_cause("client_rested", site_.scenario, site_.scenario.server)) {
    site_.world.fail("client %u: request %llu was ended for resting without a cause", index_,
                     static_cast<unsigned long long>(request.id));
  }
  site_.ledger.count("broken off for resting");
  return true;
}

// A sticky cookie names the server that answered, and is set only if the client has not got it.
void ClientModel::check_cookie(const Asked& asked, const Message& response) {
  const AttemptRecord* attempt = site_.ledger.attempt(response.number("X-Sim-Serial", 0));
  const std::string set = response.value("Set-Cookie");
  const bool sticky = !site_.scenario.upstream.sticky.cookie.empty();
  if (attempt == nullptr || !sticky) {
    if (!set.empty()) site_.world.fail("client %u: a cookie out of place: %s", index_, set.c_str());
    return;
  }
  if (attempt->unsolicited) return;
  const std::string fresh = set.substr(0, set.find(';'));
  const std::string cookie = set.empty() ? asked.cookie : fresh;
  const auto [known, first] = site_.ledger.cookies.emplace(cookie, attempt->server);
  if (cookie.empty() || known->second != attempt->server) {
    site_.world.fail("client %u: request %llu: the cookie '%s' names another server", index_,
                     static_cast<unsigned long long>(asked.request->id), cookie.c_str());
  }
  if (!set.empty() && (fresh == asked.cookie || response.count("Set-Cookie") != 1)) {
    site_.world.fail("client %u: a cookie that it has already: %s", index_, set.c_str());
  }
  if (!set.empty() && !asked.cookie.empty() && site_.scenario.calm()) {
    site_.world.fail("client %u: a session has moved, and its server was there", index_);
  }
  site_.ledger.count(asked.cookie.empty() ? "session began"
                     : set.empty()        ? "session kept"
                                          : "session moved");
  cookies_[asked.request->host] = cookie;
}

// The server has spoken unasked, and a request got that for its answer. It may be nobody's fault
// but the server's.
void AnswerChecks::check_misdelivery(const RequestRecord&, const AttemptRecord&) {
  // ServerConnection::check_unsolicited has the last word on whether the proxy could know.
  site_.ledger.count("misdelivered by the server's own doing");
}

// Nobody is refused before queue_timeout is over while a server that was once alive is away.
void AnswerChecks::check_patience(const RequestRecord& request, const std::string& label) {
  const Scenario& s = site_.scenario;
  const config::Pool& pool = s.upstream.pool;
  // (A worker reads the clock once per turn.)
  const Duration waited = site_.world.now() - request.began + s.most_lag + 2ms;
  const auto id = static_cast<unsigned long long>(request.id);
  if ((label == "server_away" || label == "queue_timeout") && waited < pool.queue_timeout) {
    site_.world.fail("client %u: request %llu was refused after %.3f s: %s", index_, id,
                     to_seconds(waited), label.c_str());
  }
  // Nobody waits for a server that nobody has ever reached, but until it is known that it cannot be
  // reached. (Or for a slot, where they are few.)
  const Duration until_known = 2 * (s.server.most_connect + s.server_link.most_delay) + 400ms;
  if (label == "server_away" && s.reloads == 0 && pool.max_connections >= 64 &&
      s.server.connect_silent == 0 && site_.seen_alive(request.host) == TimePoint::max() &&
      waited > until_known + 4 * s.most_lag) {
    site_.world.fail("client %u: request %llu waited %.3f s for what was never there", index_, id,
                     to_seconds(waited));
  }
  const bool away =
      label == "connect_refused" || label == "connect_unreachable" || label == "connect_timeout";
  // (A reload may change the queue and the servers; servers that are drained by hand do not count.)
  if (!away || !pool.wait_while_down || pool.queue_size == 0) return;
  if (s.reloads > 0 || s.by_hand > 0) return;
  if (site_.seen_alive(request.host) < request.began) {
    site_.world.fail("client %u: request %llu did not wait for its server: %s", index_, id,
                     label.c_str());
  }
}

void AnswerChecks::check_local(const RequestRecord& request, const Message& response) {
  const std::string status = response.value("Proxy-Status");
  const size_t from = status.find("details=\"");
  std::string label = from == std::string::npos ? status : status.substr(from + 9);
  label = label.substr(0, label.find('"'));
  site_.world.note("client %u: request %llu refused: %d %s", index_,
                   static_cast<unsigned long long>(request.id), response.status(), label.c_str());
  site_.ledger.count(label);
  if (label == "header_timeout" && crawls_) return;
  check_patience(request, label);
  if (label == "body_too_slow") {
    if (!crawls_) {
      site_.world.fail("client %u: request %llu was not slow, and got 408", index_,
                       static_cast<unsigned long long>(request.id));
    }
    return;
  }
  if (label == "not_upgraded" && request.upgrade) {
    const AttemptRecord* attempt = site_.ledger.last_attempt(request.id);
    if (attempt != nullptr && !attempt->tunnel && attempt->status / 100 == 2) return;
  }
  if (label == "client_rested" && !site_.ledger.ended_for_rest(request)) {
    site_.world.fail("client %u: request %llu rested, and nobody has ended it", index_,
                     static_cast<unsigned long long>(request.id));
  }
  const bool known = label == "client_rested" && rests_;
  if ((!known && !has_cause(label, site_.scenario, site_.scenario.server)) ||
      should_have_been_replayed(request, label)) {
    site_.world.fail("client %u: request %llu (%s) failed without a cause: %d %s", index_,
                     static_cast<unsigned long long>(request.id), request.method.c_str(),
                     response.status(), label.c_str());
  }
}

void ClientModel::check_rest(Duration rested, bool upload) const {
  if (end_ == nullptr) return;
  const Scenario& s = site_.scenario;
  const Link& link = end_->link();
  const std::vector<Mark>& marks = upload ? link.arrivals : link.deliveries;
  const TimePoint now = site_.world.now();
  // As Berth promises: each byte shortens a rest by the time that it takes at kRate.
  Duration longest{};
  const uint64_t all = marks.empty() ? 0 : marks.back().upto;
  const auto look = [&](TimePoint since, uint64_t upto) {
    const auto took = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
        static_cast<double>(all - upto) / static_cast<double>(exchange::Rest::kRate)));
    longest = std::max(longest, now - since - took);
  };
  look(opened_at_, 0);
  for (const Mark& mark : marks) look(mark.at, mark.upto);
  // (News of what the client takes travels, and waits for a worker.)
  if (longest + 2 * s.client_link.most_delay + 2 * s.most_lag + 50ms < rested) {
    site_.world.fail("client %u was ended for resting for %.3f s, and it was %.3f s", index_,
                     to_seconds(rested), to_seconds(longest));
  }
}

uint64_t ClientModel::held_for_it() const {
  if (end_ == nullptr || asked_.empty() || end_->link().near().closed()) return 0;
  const AttemptRecord* attempt = site_.ledger.last_attempt(asked_.front().request->id);
  if (attempt == nullptr || attempt->connection == nullptr) return 0;
  const uint64_t seen = attempt->connection->link().near().read_total();
  const uint64_t read = std::min(seen, attempt->ends) - attempt->begins;
  const uint64_t written = end_->link().near().written_total() - asked_from_;
  return read > written ? read - written : 0;
}

Duration ClientModel::answer_rests_for() const {
  if (held_for_it() == 0) return Duration(0);
  const AttemptRecord* attempt = site_.ledger.last_attempt(asked_.front().request->id);
  TimePoint moved = opened_at_;
  for (const auto* marks : {&end_->link().writes, &attempt->connection->link().reads}) {
    if (!marks->empty()) moved = std::max(moved, marks->back().at);
  }
  return site_.world.now() - moved;
}

// The proxy has closed the connection: had it a right to?
void ClientModel::judge_end(bool reset) {
  if (tunnel_) {
    const bool all = tunnel_got_ == tunnel_attempt_->body_size;
    if (!reset && !all && tunnel_attempt_->complete) {
      site_.world.fail("client %u: the tunnel ended after %llu of %llu bytes", index_,
                       static_cast<unsigned long long>(tunnel_got_),
                       static_cast<unsigned long long>(tunnel_attempt_->body_size));
    }
    return;
  }
  if (asked_.empty() || announced_close_) return;
  const Asked& front = asked_.front();
  const auto id = static_cast<unsigned long long>(front.request->id);
  const AttemptRecord* attempt = site_.ledger.last_attempt(front.request->id);
  // With FIN where the framing shows it, with RST elsewhere. A tunnel that the server resets is
  // reset as a whole, also while its 101 is on the way.
  const bool shows = reset || reader_.break_shows();
  if (shows && attempt != nullptr &&
      (!attempt->complete || attempt->may_break_off || (reset && attempt->tunnel))) {
    site_.ledger.count("broken off");  // as the server has
    return;
  }
  if (AnswerChecks(site_, index_, crawls_).broken_off_for_rest(*front.request)) return;
  if (may_be_closed(front)) return;
  site_.world.fail(
      "client %u: request %llu: %s%s", index_, id,
      reader_.started() ? "its answer broke off without a cause" : "closed without an answer",
      reset ? " (reset)" : "");
}

bool ClientModel::may_be_closed(const Asked& front) const {
  if (stalled_ || site_.draining) return true;
  if (site_.scenario.memory_short()) {
    if (!paced_reader() && reader_.started()) site_.judge_memory_loss(index_);
    site_.ledger.count("closed, maybe for its memory");
    return true;
  }
  if (crawls_ && reader_.started()) {
    site_.ledger.count("cut off for reading too slowly");
    return true;
  }
  // Evicted for another, or refused when there was nobody to evict. (The request may have been on
  // its way.)
  if (site_.scenario.listener.max_connections != 0 && !reader_.started()) return true;
  // The client was idle for so long that the proxy may have closed before the request came.
  const Duration travel = 2 * site_.scenario.client_link.most_delay + site_.scenario.most_lag + 5ms;
  const std::vector<Mark>& said = end_->link().writes;
  const TimePoint idle_since = said.empty() ? opened_at_ : said.back().at;
  const Duration idle = std::min(front.begun, site_.world.now()) - idle_since;
  return front.idle_before && idle + travel >= site_.scenario.listener.keepalive_timeout;
}

}  // namespace berth::sim
