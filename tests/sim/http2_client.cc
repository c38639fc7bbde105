#include "tests/sim/http2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace berth::sim {

namespace {

// No answer for so long, with everything that may take time in between: it is lost.
constexpr Duration kPatience = 90s;

// What they view outlives the pair.
nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Http2Client::Callbacks {
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }
  static Asked* asked_of(nghttp2_session* session, int32_t id) {
    return static_cast<Asked*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void*) {
    Asked* asked = asked_of(session, frame->hd.stream_id);
    if (asked == nullptr) return 0;
    const std::string field(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (asked->final_head) {
      asked->response.trailers += field + ": " + text + "\r\n";
    } else if (field == ":status") {
      asked->response = Message();
      asked->response.start_line = "HTTP/1.1 " + text + " ";
    } else {
      asked->response.fields.emplace_back(field, text);
    }
    return 0;
  }

  static int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Http2Client& at = self(user);
    const nghttp2_frame_hd& header = frame->hd;
    if (header.type == NGHTTP2_GOAWAY) {
      at.goaway_ = true;
      at.site_.world.note("client %u hears GOAWAY %u", at.index_, frame->goaway.error_code);
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        at.site_.world.fail("client %u: GOAWAY with error %u", at.index_, frame->goaway.error_code);
      }
    }
    Asked* asked = asked_of(session, header.stream_id);
    if (asked == nullptr) return 0;
    if (header.type == NGHTTP2_HEADERS && !asked->final_head) {
      const int status = asked->response.status();
      asked->final_head = status >= 200;
      if (status < 200 && status != 102 && status != 103) {
        at.site_.world.fail("client %u: %d that it has not asked for", at.index_, status);
      }
      if (asked->request->upgrade && status >= 200 && status < 300) at.begin_tunnel(*asked);
    }
    const bool content = header.type == NGHTTP2_HEADERS || header.type == NGHTTP2_DATA;
    if (content && (header.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      asked->complete = true;
      // It has read all, or got an answer instead of a tunnel: it has no more to say.
      if (asked->request->upgrade) nghttp2_session_resume_data(session, header.stream_id);
    }
    return 0;
  }

  static int on_data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data,
                     size_t size, void*) {
    Asked* asked = asked_of(session, id);
    if (asked == nullptr) return 0;
    asked->response.body.append(reinterpret_cast<const char*>(data), size);
    if (asked->tunnel) nghttp2_session_resume_data(session, id);
    return 0;
  }

  static int on_close(nghttp2_session* session, int32_t id, uint32_t error, void* user) {
    Asked* asked = asked_of(session, id);
    if (asked != nullptr && !asked->over) self(user).on_over(*asked, error);
    return 0;
  }

  // What the proxy sends is right.
  static int on_invalid(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    self(user).site_.world.fail("client %u: a wrong frame of type %d: %s", self(user).index_,
                                frame->hd.type, nghttp2_strerror(error));
    return 0;
  }

  static ssize_t read(nghttp2_session*, int32_t, uint8_t* into, size_t size, uint32_t* flags,
                      nghttp2_data_source* source, void* user) {
    Asked& asked = *static_cast<Asked*>(source->ptr);
    return asked.request->upgrade ? self(user).read_tunnel(asked, into, size, *flags)
                                  : self(user).read_body(asked, into, size, *flags);
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, on_invalid);
    return made;
  }
};

void Http2Client::Delete::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

Http2Client::Http2Client(Site& site, uint32_t index)
    : site_(site), index_(index), dice_(site.world.dice().next()) {
  ip_ = "192.168.1." + std::to_string(index + 1);
  requests_left_ = static_cast<uint32_t>(dice_.between(1, 2 * site.scenario.client.most_requests));
  depth_ = static_cast<uint32_t>(dice_.between(1, 8));
  constexpr uint32_t kWindows[] = {65535, 65535, 2000, 100, 1, 0};
  window_ = dice_.of(kWindows);
  // By a hundred bytes at a time a large answer takes longer than anybody waits.
  if (site.scenario.server.large > 0) window_ = std::max(window_, 65535U);
}

Http2Client::~Http2Client() = default;

void Http2Client::start() {
  site_.world.after(dice_.between(0ms, site_.scenario.spread), [this] { connect(); });
}

std::string Http2Client::describe() const {
  if (end_ == nullptr) return "between two connections (HTTP/2)";
  return "on #" + std::to_string(end_->link().serial()) + " with " +
         std::to_string(open_streams()) + " streams";
}

size_t Http2Client::open_streams() const {
  return static_cast<size_t>(
      std::count_if(asked_.begin(), asked_.end(), [](const Asked& a) { return !a.over; }));
}

void Http2Client::connect() {
  static nghttp2_session_callbacks* const callbacks = Callbacks::make();
  const ClientManners& m = site_.scenario.client;
  ++connections_;
  nghttp2_session* made = nullptr;
  nghttp2_session_client_new(&made, callbacks, this);
  session_.reset(made);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window_}};
  nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings, 1);
  if (window_ == 0) open_window_later();
  asked_.clear();
  outbox_.clear();
  goaway_ = false;
  stays_ = dice_.percent(m.stays);
  heard_at_ = idle_since_ = site_.world.now();
  requests_here_ = requests_left_;
  Link& link = site_.new_link(site_.scenario.client_link);
  end_ = &link.far();
  end_->observe(this);
  site_.world.note("client %u connects (HTTP/2): #%u", index_, link.serial());
  site_.call(link, ip_);
  if (dice_.percent(m.aborts)) {
    site_.world.after(dice_.between(0ms, 30ms), [this, mine = connections_] {
      if (mine == connections_ && end_ != nullptr) close_end(dice_.percent(50));
    });
  }
  pump();
}

void Http2Client::on_edge(End&) {
  pump();
}

void Http2Client::pump() {
  if (end_ == nullptr) return;
  const uint32_t mine = connections_;
  ask();
  send();
  if (end_ != nullptr) receive();
  if (end_ == nullptr || mine != connections_ || site_.world.failed()) return;
  ask();
  send();
  if (end_ != nullptr && mine == connections_) after_answers();
}

// Until then no byte of a body can come.
void Http2Client::open_window_later() {
  site_.world.after(dice_.between(0ms, 50ms), [this, mine = connections_] {
    if (mine != connections_ || end_ == nullptr) return;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(dice_.between(10, 65535))}};
    nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, 1);
    pump();
  });
}

// --- Asking.

void Http2Client::ask() {
  while (!goaway_ && requests_here_ > 0 && open_streams() < depth_) ask_one();
}

void Http2Client::ask_one() {
  const ClientManners& m = site_.scenario.client;
  RequestRecord& request = site_.ledger.new_request();
  request.client = index_;
  request.client_ip = ip_;
  request.link = &end_->link();
  constexpr const char* kSafe[] = {"GET", "GET", "GET", "OPTIONS", "DELETE"};
  constexpr const char* kUnsafe[] = {"POST", "POST", "PATCH", "PUT"};
  const bool post = dice_.percent(m.posts);
  request.method = post ? dice_.of(kUnsafe) : dice_.percent(m.heads) ? "HEAD" : dice_.of(kSafe);
  request.idempotent = !post || request.method == "PUT";
  request.host = site_.scenario.upstreams > 1 && dice_.percent(40) ? "web" : "app";
  // The app server sees a GET that asks for an upgrade.
  request.upgrade = request.method == "GET" && tunnels_allowed() && dice_.percent(m.upgrades);
  const bool body = !request.upgrade && dice_.percent(post ? 90 : 5);
  if (body) {
    request.body_size =
        dice_.permille(m.large) ? dice_.between(60'000, 300'000) : dice_.between(0, m.most_body);
  }
  request.chunked = body && dice_.percent(50);
  request.trailers = request.chunked && dice_.percent(20);

  Asked& asked = asked_.emplace_back();
  asked.request = &request;
  asked.asked_at = site_.world.now();
  asked.idle_before = open_streams() == 1;
  asked.idle_for = site_.world.now() - idle_since_;
  append_pattern(asked.body, request.id, 0, request.body_size);
  // nghttp2 is given views: each text lives until the call.
  const std::string method = request.upgrade ? "CONNECT" : request.method;
  const std::string path = "/r/" + std::to_string(request.id);
  const std::string id = std::to_string(request.id);
  const std::string size = std::to_string(request.body_size);
  std::string fill;
  if (dice_.percent(20)) request.fill = dice_.between(1, 100);
  append_pattern(fill, request.id, 0, request.fill);
  std::vector<nghttp2_nv> fields = {pair_of(":method", method), pair_of(":scheme", "http"),
                                    pair_of(":authority", request.host), pair_of(":path", path)};
  if (request.upgrade) fields.push_back(pair_of(":protocol", "websocket"));
  fields.push_back(pair_of("x-sim-id", id));
  if (request.fill > 0) fields.push_back(pair_of("x-fill", fill));
  if (body && !request.chunked) fields.push_back(pair_of("content-length", size));
  nghttp2_data_provider provider{.source = {.ptr = &asked}, .read_callback = Callbacks::read};
  asked.request->began = site_.world.now();
  asked.stream = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                                        body || request.upgrade ? &provider : nullptr, &asked);
  --requests_here_;
  --requests_left_;
  site_.world.note("client %u asks on #%u: request %llu, %s, stream %d, %llu bytes of body", index_,
                   end_->link().serial(), static_cast<unsigned long long>(request.id),
                   request.method.c_str(), asked.stream,
                   static_cast<unsigned long long>(request.body_size));
  if (dice_.percent(site_.scenario.client.aborts / 2)) {
    site_.world.after(dice_.between(0ms, 20ms), [this, mine = connections_, at = &asked] {
      if (mine != connections_ || end_ == nullptr || at->over) return;
      site_.world.note("client %u cancels stream %d", index_, at->stream);
      at->cancelled = true;
      nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, at->stream, NGHTTP2_CANCEL);
      pump();
    });
  }
  site_.world.after(kPatience, [this, mine = connections_, at = &asked] {
    if (mine != connections_ || end_ == nullptr || at->over) return;
    site_.world.fail("client %u on #%u: no answer to request %llu", index_, end_->link().serial(),
                     static_cast<unsigned long long>(at->request->id));
  });
}

// RFC 8441 section 3: not before the server's SETTINGS have said so.
bool Http2Client::tunnels_allowed() const {
  return nghttp2_session_get_remote_settings(session_.get(),
                                             NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

ssize_t Http2Client::read_body(Asked& asked, uint8_t* into, size_t size, uint32_t& flags) {
  size_t piece = std::min(size, asked.body.size() - asked.sent);
  if (piece > 1 && dice_.percent(30)) piece = dice_.between(1, piece);
  asked.body.copy(reinterpret_cast<char*>(into), piece, asked.sent);
  asked.sent += piece;
  if (asked.sent < asked.body.size()) return static_cast<ssize_t>(piece);
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (asked.request->trailers) {
    flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv trailer = pair_of("x-trailer", "t");
    nghttp2_submit_trailer(session_.get(), asked.stream, &trailer, 1);
  }
  return static_cast<ssize_t>(piece);
}

// What it has to say, and its end once it has heard everything.
ssize_t Http2Client::read_tunnel(Asked& asked, uint8_t* into, size_t size, uint32_t& flags) {
  if (!asked.tunnel) {
    if (!asked.complete) return NGHTTP2_ERR_DEFERRED;
    flags |= NGHTTP2_DATA_FLAG_EOF;
    return 0;
  }
  const size_t piece = std::min(size, asked.body.size() - asked.sent);
  asked.body.copy(reinterpret_cast<char*>(into), piece, asked.sent);
  asked.sent += piece;
  const bool heard_all = asked.response.body.size() >= asked.attempt->body_size;
  if (asked.sent == asked.body.size() && heard_all) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    asked.request->tunnel_shut = true;
  } else if (piece == 0) {
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(piece);
}

void Http2Client::begin_tunnel(Asked& asked) {
  const auto id = static_cast<unsigned long long>(asked.request->id);
  asked.attempt = site_.ledger.attempt(asked.response.number("X-Sim-Serial", 0));
  if (asked.attempt == nullptr || asked.attempt->request != asked.request->id ||
      !asked.attempt->tunnel) {
    site_.world.fail("client %u: request %llu: a tunnel that the server has not opened: '%s'",
                     index_, id, asked.response.start_line.c_str());
    return;
  }
  site_.ledger.count("tunnel over HTTP/2");
  asked.tunnel = true;
  asked.request->tunnel_bytes = dice_.between(0, 1500);
  append_pattern(asked.body, asked.request->id, 0, asked.request->tunnel_bytes);
  nghttp2_session_resume_data(session_.get(), asked.stream);
}

void Http2Client::send() {
  while (end_ != nullptr) {
    if (outbox_.empty()) {
      const uint8_t* bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size <= 0) return;
      outbox_.assign(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    }
    size_t piece = outbox_.size();
    if (dice_.percent(20)) piece = dice_.between(1, piece);
    bool error = false;
    const size_t taken = end_->write(std::string_view(outbox_).substr(0, piece), error);
    if (error) return;  // reading tells why
    outbox_.erase(0, taken);
    if (taken < piece) return;
  }
}

// --- Hearing.

void Http2Client::receive() {
  while (!end_->unread().empty() && !site_.world.failed()) {
    const std::string bytes(end_->unread().substr(0, dice_.between(1, 20'000)));
    end_->consume(bytes.size());
    heard_at_ = site_.world.now();
    const ssize_t used = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (used < 0) {
      site_.world.fail("client %u on #%u: no HTTP/2: %s", index_, end_->link().serial(),
                       nghttp2_strerror(static_cast<int>(used)));
    }
  }
  if (site_.world.failed()) return;
  if (end_->rst_arrived()) {
    on_end_of_stream(true);
  } else if (end_->fin_arrived()) {
    on_end_of_stream(false);
  }
}

// A stream is closed: with its answer, or without.
void Http2Client::on_over(Asked& asked, uint32_t error) {
  asked.over = true;
  idle_since_ = site_.world.now();
  const auto id = static_cast<unsigned long long>(asked.request->id);
  if (asked.tunnel) {
    judge_tunnel(asked, error);
    return;
  }
  if (asked.complete) {
    checks().check(*asked.request, asked.response);
    site_.ledger.count("answered over HTTP/2");
    site_.world.mix(static_cast<uint64_t>(asked.response.status()));
    return;
  }
  if (asked.cancelled) {
    site_.ledger.count("cancelled");
    return;
  }
  // A request that has not left the client when it hears GOAWAY never does.
  const bool unsent = nghttp2_session_find_stream(session_.get(), asked.stream) == nullptr;
  if (goaway_ && (error == NGHTTP2_REFUSED_STREAM || unsent)) {
    asked.request->dropped = true;  // GOAWAY has promised that it is not served
    site_.ledger.count("not served after GOAWAY");
    return;
  }
  const AttemptRecord* attempt = site_.ledger.last_attempt(asked.request->id);
  if (attempt != nullptr && (!attempt->complete || attempt->may_break_off)) {
    site_.ledger.count("broken off");  // as the server has
    return;
  }
  if (checks().broken_off_for_rest(*asked.request)) return;
  if (may_be_lost(asked)) return;
  site_.world.fail("client %u: request %llu: stream %d ended with %u, without an answer", index_,
                   id, asked.stream, error);
}

void Http2Client::judge_tunnel(const Asked& asked, uint32_t error) {
  const std::string& got = asked.response.body;
  const bool right = pattern_mismatch(got, asked.attempt->serial, 0) == got.size();
  if (!right || got.size() > asked.attempt->body_size) {
    site_.world.fail("client %u: wrong bytes in the tunnel of request %llu", index_,
                     static_cast<unsigned long long>(asked.request->id));
  }
  const bool all = got.size() == asked.attempt->body_size;
  if (error == NGHTTP2_NO_ERROR && asked.complete && !all && asked.attempt->complete) {
    site_.world.fail("client %u: the tunnel ended after %zu of %llu bytes", index_, got.size(),
                     static_cast<unsigned long long>(asked.attempt->body_size));
  }
}

// By so few bytes at a time an answer may rest most of the time.
AnswerChecks Http2Client::checks() const {
  constexpr uint32_t kTiny = 300;
  return {site_, index_, false, window_ <= kTiny};
}

bool Http2Client::may_be_lost(const Asked& asked) const {
  const Scenario& s = site_.scenario;
  if (site_.draining || s.listener.max_connections != 0 || s.memory_short()) return true;
  const Duration travel = 2 * s.client_link.most_delay + s.most_lag + 5ms;
  return asked.idle_before && asked.idle_for + travel >= s.listener.keepalive_timeout;
}

void Http2Client::on_end_of_stream(bool reset) {
  site_.world.note("client %u hears the end of #%u%s", index_, end_->link().serial(),
                   reset ? " (reset)" : "");
  for (Asked& asked : asked_) {
    if (!asked.over) on_over(asked, NGHTTP2_INTERNAL_ERROR);
  }
  close_end(false);
}

void Http2Client::after_answers() {
  if (open_streams() > 0 || !outbox_.empty()) return;
  const bool finished = requests_here_ == 0 || goaway_;
  if (finished && (!stays_ || goaway_)) close_end(false);
}

void Http2Client::close_end(bool with_reset) {
  End* end = end_;
  // What has not left it, or is thrown away, its servers do not hear.
  if (with_reset || !outbox_.empty()) {
    for (Asked& asked : asked_) asked.request->tunnel_shut = false;
  }
  if (with_reset) {
    end->reset();
  } else {
    end->close();
  }
  end_ = nullptr;
  for (Asked& asked : asked_) asked.over = true;
  ++connections_;
  if (site_.draining) requests_left_ = 0;
  if (requests_left_ == 0) return;
  site_.world.after(dice_.between(0ms, site_.scenario.client.most_pause),
                    [this, mine = connections_] {
                      if (mine == connections_ && end_ == nullptr && requests_left_ > 0) connect();
                    });
}

}  // namespace berth::sim
