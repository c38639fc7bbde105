#include "tests/sim/client_model.h"

#include <algorithm>

namespace berth::sim {

namespace {
// No answer for so long, with everything that may take time in between: it is lost.
constexpr Duration kPatience = 90s;
}  // namespace

ClientModel::ClientModel(Site& site, uint32_t index)
    : site_(site), index_(index), dice_(site.world.dice().next()) {
  const ClientManners& m = site.scenario.client;
  ip_ = "192.168.0." + std::to_string(m.one_address ? 1 : index + 1);
  requests_left_ = static_cast<uint32_t>(dice_.between(m.least_requests, m.most_requests));
  http10_ = dice_.percent(m.http10);
  slow_reader_ = dice_.percent(m.slow_reading);
  slow_writer_ = dice_.percent(m.slow_writing);
  crawls_ = dice_.percent(m.crawling);
  depth_ = dice_.percent(m.pipelining) && !http10_ ? static_cast<uint32_t>(dice_.between(2, 4)) : 1;
}

void ClientModel::start() {
  site_.world.after(dice_.between(0ms, site_.scenario.spread), [this] { connect(); });
}

void ClientModel::connect() {
  const ClientManners& m = site_.scenario.client;
  ++connections_;
  reader_ = MessageReader();
  asked_.clear();
  outbox_.clear();
  held_back_.clear();
  queued_ = 0;
  answered_ = 0;
  heard_at_ = opened_at_ = site_.world.now();
  announced_close_ = paused_ = write_paced_ = read_paced_ = shut_ = tunnel_ = stalled_ = false;
  requests_here_ = requests_left_;
  leaving_ = Leaving::Politely;
  if (dice_.percent(m.stays)) leaving_ = Leaving::Stay;
  if (dice_.percent(m.half_closes)) leaving_ = Leaving::HalfClose;
  Link& link = site_.new_link(site_.scenario.client_link);
  end_ = &link.far();
  end_->observe(this);
  site_.world.note("client %u connects: #%u", index_, link.serial());
  site_.call(link, ip_);
  if (dice_.percent(m.aborts)) {
    leaving_ = dice_.percent(50) ? Leaving::AbortFin : Leaving::AbortRst;
    site_.world.after(dice_.between(0ms, 30ms), [this, mine = connections_] {
      if (mine != connections_ || end_ == nullptr) return;
      site_.world.note("client %u aborts #%u", index_, end_->link().serial());
      close_end(leaving_ == Leaving::AbortRst);
    });
  }
  if (dice_.percent(m.stalls)) {
    site_.world.after(dice_.between(0ms, 40ms), [this, mine = connections_] {
      if (mine == connections_ && end_ != nullptr) stall();
    });
  }
  pump();
}

// Longer than any timeout lets it.
void ClientModel::stall() {
  site_.world.note("client %u falls silent on #%u", index_, end_->link().serial());
  stalled_ = true;
  const bool reading = dice_.percent(site_.scenario.client.deaf_stalls);
  (reading ? read_paced_ : write_paced_) = true;
  site_.world.after(dice_.between(5s, 45s), [this, reading, mine = connections_] {
    if (mine != connections_) return;
    (reading ? read_paced_ : write_paced_) = false;
    pump();
  });
}

std::string ClientModel::describe() const {
  if (end_ == nullptr) return "between two connections";
  std::string text = "on #" + std::to_string(end_->link().serial());
  if (!asked_.empty()) {
    text += ", waiting for the answer to request " + std::to_string(asked_.front().request->id);
    if (!asked_.front().complete) text += " (not sent to its end)";
  }
  return text;
}

void ClientModel::leave() {
  requests_left_ = 0;
  if (end_ != nullptr) close_end(dice_.percent(50));
}

void ClientModel::on_edge(End&) {
  pump();
}

void ClientModel::pump() {
  if (end_ == nullptr) return;
  const uint32_t mine = connections_;
  uint32_t answered = answered_;
  do {
    answered = answered_;
    ask();
    send();
    if (end_ != nullptr) receive();
  } while (end_ != nullptr && mine == connections_ && answered != answered_);
}

// --- Asking.

void ClientModel::ask() {
  while (!tunnel_ && !paused_ && !announced_close_ && !shut_ && requests_here_ > 0 &&
         asked_.size() < depth_ && (asked_.empty() || !asked_.back().request->upgrade) &&
         held_back_.empty()) {
    RequestRecord& request = site_.ledger.new_request();
    request.client = index_;
    request.client_ip = ip_;
    request.link = &end_->link();
    request.crawls = crawls_;
    Asked& asked = asked_.emplace_back();
    asked.request = &request;
    asked.idle_before = asked_.size() == 1;
    if (asked.idle_before) asked_from_ = end_->link().near().written_total();
    asked.begins = queued_;
    const std::string text = compose(request, asked);
    outbox_ += text;
    queued_ += text.size();
    asked.ends = queued_ + held_back_.size();
    --requests_here_;
    --requests_left_;
    site_.world.note("client %u asks on #%u: request %llu, %s, %llu bytes of body", index_,
                     end_->link().serial(), static_cast<unsigned long long>(request.id),
                     request.method.c_str(), static_cast<unsigned long long>(request.body_size));
  }
  if (leaving_ == Leaving::HalfClose && requests_here_ == 0 && outbox_.empty() &&
      held_back_.empty() && !shut_ && !tunnel_) {
    shut_ = true;
    end_->shut_down();
  }
}

std::string ClientModel::compose(RequestRecord& request, Asked& asked) {
  const ClientManners& m = site_.scenario.client;
  if (dice_.permille(m.garbage)) return compose_garbage(request);
  constexpr const char* kSafe[] = {"GET", "GET", "GET", "GET", "OPTIONS", "DELETE"};
  constexpr const char* kUnsafe[] = {"POST", "POST", "PATCH", "PUT", "BREW"};
  const bool post = dice_.percent(m.posts);
  request.method = post ? dice_.of(kUnsafe) : dice_.percent(m.heads) ? "HEAD" : dice_.of(kSafe);
  const bool keyed = post && dice_.percent(m.keyed);
  request.idempotent = keyed || !post || request.method == "PUT";
  request.upgrade = !http10_ && !post && request.method == "GET" && dice_.percent(m.upgrades);
  const bool body = post ? dice_.percent(90) : dice_.percent(5);
  if (body && !request.upgrade) {
    request.body_size =
        dice_.permille(m.large) ? dice_.between(60'000, 300'000) : dice_.between(0, m.most_body);
  }
  request.chunked = body && !http10_ && !request.upgrade && dice_.percent(m.chunked);
  request.trailers = request.chunked && dice_.percent(20);
  request.expects = request.body_size > 0 && !http10_ && dice_.percent(m.expects);

  std::string text = request.method + " /r/" + std::to_string(request.id) +
                     (http10_ ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  request.host = site_.scenario.upstreams > 1 && dice_.percent(40) ? "web" : "app";
  text += "Host: " + request.host + "\r\nX-Sim-Id: " + std::to_string(request.id) + "\r\n";
  text += "X-Key: k" + std::to_string(index_ % 3) + "\r\n";
  asked.cookie = cookies_[request.host];
  if (!asked.cookie.empty()) text += "Cookie: a=b; " + asked.cookie + "; c=d\r\n";
  if (keyed) text += "Idempotency-Key: k" + std::to_string(request.id) + "\r\n";
  if (dice_.percent(20)) {
    const bool wide =
        site_.scenario.client_link.window > 100 && site_.scenario.server_link.window > 100;
    request.fill = dice_.between(1, wide && dice_.percent(20) ? 3000 : 100);
    text += "X-Fill: ";
    append_pattern(text, request.id, 0, request.fill);
    text += "\r\n";
  }
  if (dice_.percent(20)) text += "X-Forwarded-For: 6.6.6.6\r\n";
  if (request.upgrade) {
    text += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  } else if (http10_) {
    if (dice_.percent(60)) text += "Connection: keep-alive\r\n";
  } else if (requests_here_ == 1 && dice_.percent(20)) {
    text += "Connection: close, X-Hop\r\nX-Hop: 1\r\n";
  } else if (dice_.percent(10)) {
    text += "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\n";
  }
  if (request.expects) text += "Expect: 100-continue\r\n";
  if (request.chunked) {
    text += "Transfer-Encoding: chunked\r\n";
  } else if (body && !request.upgrade) {
    text += "Content-Length: " + std::to_string(request.body_size) + "\r\n";
  }
  text += "\r\n";
  asked.head_ends = queued_ + text.size();
  std::string sent_body;
  append_pattern(sent_body, request.id, 0, request.body_size);
  std::string framed;
  if (request.chunked) {
    for (size_t at = 0; at < sent_body.size();) {
      const size_t size = dice_.between(1, sent_body.size() - at);
      char line[24];
      std::snprintf(line, sizeof line, "%zX\r\n", size);
      framed += line;
      framed.append(sent_body, at, size);
      framed += "\r\n";
      at += size;
    }
    framed += request.trailers ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n";
  } else {
    framed = std::move(sent_body);
  }
  if (!request.expects) return text + framed;
  held_back_ = framed;
  asked.waits_for_100 = true;
  // A client does not wait for ever.
  site_.world.after(dice_.between(20ms, 1s), [this, mine = connections_, id = request.id] {
    if (mine != connections_ || end_ == nullptr || held_back_.empty()) return;
    if (asked_.empty() || asked_.back().request->id != id) return;
    asked_.back().waits_for_100 = false;
    outbox_ += held_back_;
    queued_ += held_back_.size();
    held_back_.clear();
    pump();
  });
  return text;
}

// Nothing that a server may ever see.
std::string ClientModel::compose_garbage(RequestRecord& request) {
  request.garbage = true;
  request.method = "GARBAGE";
  constexpr const char* kGarbage[] = {
      "GET /r/1 HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "GET /r/1 HTTP/1.1\nHost: app\n\n",
      "GET /r/1 HTTP/1.1\r\n\r\n",
      "GET /r/1 HTTP/1.1\r\nHost: app\r\nHost: web\r\n\r\n",
      "CONNECT app:80 HTTP/1.1\r\nHost: app\r\n\r\n",
      "POST /r/1 HTTP/1.1\r\nHost: app\r\nContent-Length: 0x5\r\n\r\nhello",
      "\x16\x03\x01 hello\r\n\r\n",
      "GET /r/1 HTTP/3.7\r\nHost: app\r\n\r\n"};
  return dice_.of(kGarbage);
}

void ClientModel::send() {
  while (!outbox_.empty() && !write_paced_ && end_ != nullptr) {
    size_t piece = outbox_.size();
    if (crawls_) {
      piece = std::min<size_t>(piece, dice_.between(1, 10));
    } else if (slow_writer_) {
      piece = dice_.between(1, std::min<size_t>(piece, dice_.percent(20) ? 5000 : 100));
    }
    bool error = false;
    const size_t taken = end_->write(std::string_view(outbox_).substr(0, piece), error);
    if (error) return;  // reading tells why
    outbox_.erase(0, taken);
    if (taken > 0) note_sent();
    if (taken < piece) return;
    if (!paced_writer() || outbox_.empty()) continue;
    write_paced_ = true;
    site_.world.after(breath(), [this, mine = connections_] {
      if (mine != connections_) return;
      write_paced_ = false;
      pump();
    });
  }
  if (outbox_.empty() && end_ != nullptr) ask();
}

void ClientModel::note_sent() {
  const uint64_t sent = end_->written_total();
  for (Asked& asked : asked_) {
    if (asked.begun == TimePoint::max() && sent > asked.begins) {
      asked.begun = asked.request->began = site_.world.now();
    }
    if (!asked.complete && sent >= asked.ends) {
      asked.complete = asked.request->sent = true;
      watch(asked.request->id);
    }
  }
}

// --- Hearing.

void ClientModel::receive() {
  while (end_ != nullptr && !read_paced_ && !end_->unread().empty()) {
    std::string_view bytes = end_->unread();
    if (crawls_) {
      bytes = bytes.substr(0, dice_.between(1, 10));
    } else if (slow_reader_) {
      bytes = bytes.substr(0, dice_.between(1, dice_.percent(20) ? 20'000 : 300));
    }
    const std::string copy(bytes);
    const uint64_t from = end_->read_total();
    heard_at_ = site_.world.now();
    end_->consume(bytes.size());
    size_t used = 0;
    while (end_ != nullptr && used < copy.size() && !site_.world.failed()) {
      if (!reader_.started()) answer_begins_ = from + used;
      used += take(std::string_view(copy).substr(used));
    }
    if (site_.world.failed()) return;
    if (paced_reader() && end_ != nullptr && !end_->unread().empty()) {
      read_paced_ = true;
      site_.world.after(breath(), [this, mine = connections_] {
        if (mine != connections_) return;
        read_paced_ = false;
        pump();
      });
    }
  }
  if (end_ == nullptr || !end_->unread().empty()) return;
  if (end_->rst_arrived()) {
    on_end_of_stream(true);
  } else if (end_->fin_arrived()) {
    on_end_of_stream(false);
  }
}

// Of a head that it has not read to its end, the proxy does not know the method.
bool ClientModel::head_was_read() const {
  const Mark* read = passing(end_->link().reads, asked_.front().head_ends);
  const Mark* answered = passing(end_->link().writes, answer_begins_ + 1);
  return read != nullptr && answered != nullptr && read->order < answered->order;
}

size_t ClientModel::take(std::string_view bytes) {
  if (tunnel_) {
    tunnel_bytes(bytes);
    return bytes.size();
  }
  if (asked_.empty()) {
    site_.world.fail("client %u on #%u: bytes that nobody asked for: '%.80s'", index_,
                     end_->link().serial(), std::string(bytes).c_str());
    return bytes.size();
  }
  if (announced_close_) {
    site_.world.fail("client %u on #%u: bytes behind the last response", index_,
                     end_->link().serial());
    return bytes.size();
  }
  reader_.expect_response(asked_.front().request->method == "HEAD" && head_was_read());
  const size_t used = reader_.feed(bytes);
  switch (reader_.state()) {
    case MessageReader::State::Broken:
      site_.world.fail("client %u on #%u: a broken response: %s", index_, end_->link().serial(),
                       reader_.problem().c_str());
      break;
    case MessageReader::State::Done:
      on_response();
      break;
    case MessageReader::State::Head:
    case MessageReader::State::Body:
      break;
  }
  return used;
}

void ClientModel::on_response() {
  Message response = std::move(reader_.message());
  reader_ = MessageReader();
  const int status = response.status();
  if (status == 101) {
    begin_tunnel(response);
    return;
  }
  if (status < 200) {
    Asked& front = asked_.front();
    if (http10_) site_.world.fail("client %u: %d to an HTTP/1.0 request", index_, status);
    if (status == 100 && !front.request->expects) {
      site_.world.fail("client %u: 100 to a request that does not wait for it", index_);
    }
    if (status == 100 && front.waits_for_100) {
      front.waits_for_100 = false;
      outbox_ += held_back_;
      queued_ += held_back_.size();
      held_back_.clear();
      send();
    }
    return;
  }
  on_final(response);
}

void ClientModel::on_final(Message& response) {
  const Asked front = asked_.front();
  asked_.pop_front();
  AnswerChecks(site_, index_, crawls_).check(*front.request, response);
  check_cookie(front, response);
  if (end_ == nullptr) return;
  site_.world.mix(static_cast<uint64_t>(response.status()));
  ++answered_;
  if (answered_ > site_.scenario.listener.keepalive_requests) {
    site_.world.fail("client %u on #%u: %u answers on one connection", index_,
                     end_->link().serial(), answered_);
  }
  const bool lists_close = response.lists("Connection", "close");
  announced_close_ = lists_close || (http10_ && !response.lists("Connection", "keep-alive"));
  if (announced_close_) {
    for (const Asked& rest : asked_) rest.request->dropped = true;
  } else if (!front.complete) {
    site_.world.fail(
        "client %u: request %llu was answered before its end, and the connection stays", index_,
        static_cast<unsigned long long>(front.request->id));
  }
  if (front.waits_for_100) held_back_.clear();
  after_answer();
}

// What now: another request, after a pause, or the end.
void ClientModel::after_answer() {
  if (announced_close_) {
    // The proxy closes; some clients do not wait for that.
    if (dice_.percent(30)) close_end(false);
    return;
  }
  if (!asked_.empty()) return;
  if (requests_here_ == 0) {
    if (leaving_ == Leaving::Politely) close_end(false);
    return;
  }
  const ClientManners& m = site_.scenario.client;
  Duration pause = dice_.percent(m.long_pauses) ? dice_.between(500ms, 6500ms)
                                                : dice_.between(0ms, m.most_pause);
  if (dice_.percent(m.near_pauses)) pause = m.near + dice_.between(0ms, 10ms) - 6ms;
  if (pause <= Duration(0)) return;
  paused_ = true;
  site_.world.after(pause, [this, mine = connections_] {
    if (mine != connections_) return;
    paused_ = false;
    pump();
  });
}

void ClientModel::begin_tunnel(const Message& response) {
  const RequestRecord& request = *asked_.front().request;
  if (!request.upgrade) {
    site_.world.fail("client %u: 101 that nobody asked for", index_);
    return;
  }
  tunnel_ = true;
  tunnel_got_ = 0;
  tunnel_attempt_ = site_.ledger.attempt(response.number("X-Sim-Serial", 0));
  if (tunnel_attempt_ == nullptr || tunnel_attempt_->request != request.id) {
    site_.world.fail("client %u: the tunnel of another request", index_);
    return;
  }
  site_.ledger.count("tunnel");
  check_cookie(asked_.front(), response);
  RequestRecord& record = *asked_.front().request;
  record.tunnel_shut = shut_;
  if (shut_) return;
  record.tunnel_bytes = dice_.between(0, 1500);
  append_pattern(outbox_, record.id, 0, record.tunnel_bytes);
  send();
}

void ClientModel::tunnel_bytes(std::string_view bytes) {
  if (pattern_mismatch(bytes, tunnel_attempt_->serial, tunnel_got_) != bytes.size() ||
      tunnel_got_ + bytes.size() > tunnel_attempt_->body_size) {
    site_.world.fail("client %u: wrong bytes in the tunnel of request %llu", index_,
                     static_cast<unsigned long long>(tunnel_attempt_->request));
  }
  tunnel_got_ += bytes.size();
  // Half of the clients are the first to say that they have finished.
  if (tunnel_got_ == tunnel_attempt_->body_size && outbox_.empty() && !shut_) {
    shut_ = true;
    // (A tunnel in which nothing has moved for long may end just as something does.)
    asked_.front().request->tunnel_shut = !stalled_;
    end_->shut_down();
  }
}

// --- The end of a connection.

void ClientModel::close_end(bool with_reset) {
  End* end = end_;
  const bool tells = with_reset || site_.scenario.listener.half_close == config::HalfClose::Abort;
  if (tells && asked_.size() == 1) asked_.front().request->left = site_.world.now();
  if (with_reset) {
    end->reset();
  } else {
    end->close();
  }
  finish_connection();
}

void ClientModel::on_end_of_stream(bool reset) {
  site_.world.note("client %u hears the end of #%u%s", index_, end_->link().serial(),
                   reset ? " (reset)" : "");
  if (!reset && !asked_.empty() && !tunnel_ && reader_.head_complete() && reader_.until_close()) {
    reader_.finish();
    on_response();
    if (end_ == nullptr || site_.world.failed()) return;
  }
  judge_end(reset);
  if (!tunnel_ || outbox_.empty() || reset) {
    close_end(false);
  }
}

void ClientModel::finish_connection() {
  end_ = nullptr;
  asked_.clear();
  ++connections_;
  if (site_.draining) requests_left_ = 0;
  if (requests_left_ == 0) return;
  site_.world.after(dice_.between(0ms, site_.scenario.client.most_pause),
                    [this, mine = connections_] {
                      if (mine == connections_ && end_ == nullptr && requests_left_ > 0) connect();
                    });
}

void ClientModel::watch(uint64_t id) {
  site_.world.after(kPatience, [this, id, mine = connections_, answered = answered_] {
    if (mine != connections_ || end_ == nullptr || asked_.empty()) return;
    if (asked_.front().request->id != id || answered != answered_ || tunnel_) return;
    if (site_.world.now() - heard_at_ < kPatience) {
      watch(id);  // it is coming, slowly
      return;
    }
    site_.world.fail("client %u on #%u: no answer to request %llu", index_, end_->link().serial(),
                     static_cast<unsigned long long>(id));
  });
}

}  // namespace berth::sim
