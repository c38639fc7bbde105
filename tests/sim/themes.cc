#include "tests/sim/themes.h"

#include <algorithm>

namespace berth::sim {

namespace {

// As long as clients have by default, whatever another theme has left them.
void be_patient_with_clients(config::Listener& listener) {
  const config::Listener usual;
  listener.body_timeout = usual.body_timeout;
  listener.send_timeout = usual.send_timeout;
  listener.min_body_rate = usual.min_body_rate;
  listener.min_send_rate = usual.min_send_rate;
}

}  // namespace

// Many clients of many workers for few connections, which come and go: the queue at work.
void make_crowd(Dice& dice, Scenario& s) {
  s.workers = static_cast<uint32_t>(dice.between(2, 4));
  s.client.count = 16;
  s.client.most_requests = 4;
  s.client.aborts = dice.percent(50) ? 60 : 0;
  s.client.slow_writing = s.client.slow_reading = 0;
  s.upstream.pool.max_connections = static_cast<uint32_t>(dice.between(1, 2));
  s.upstream.pool.queue_size = 1024;
  s.upstream.pool.queue_timeout = dice.percent(40) ? Duration(30ms) : Duration(2s);
  s.upstreams = 1;
  s.spread = dice.percent(50) ? Duration(0) : Duration(60ms);
  s.server.close_after = dice.percent(60) ? 500 : 0;
  s.server.most_think = dice.percent(50) ? Duration(1ms) : Duration(10ms);
  s.most_lag = dice.percent(50) ? Duration(10ms) : Duration(1ms);
  if (dice.percent(65)) {
    s.servers = static_cast<uint32_t>(dice.between(2, 3));
    s.reloads = static_cast<uint32_t>(dice.between(3, 12));
    s.most_mail_delay = 10ms;
    s.spread = 30ms;
    s.reload_within = 100ms;
    s.client.aborts = 0;
    s.upstream.pool.queue_timeout = 2s;
  }
}

// Requests that come just as the server closes, or has gone over to speak.
void make_race(Dice& dice, Scenario& s) {
  ServerManners& m = s.server;
  m.hints = dice.percent(50);
  // Without hints a connection may be as old as the server lets it be: then it is looked at before
  // it is used, if that is more than a second.
  m.keepalive = dice.percent(m.hints ? 50 : 20) ? Duration(1s) : Duration(2s);
  m.max_style = ServerManners::MaxStyle::None;
  m.close_after = m.until_close = m.http10 = m.early = 0;
  m.most_think = 1ms;
  s.client.count = 3;
  s.client.most_requests = m.hints ? 6 : 12;
  s.client.posts = 50;
  s.client.slow_reading = s.client.slow_writing = s.client.stalls = 0;
  s.client.near = m.hints && dice.percent(50) ? m.keepalive / 2 : m.keepalive;
  s.client.near_pauses = 80;
  if (dice.percent(30)) {
    // Requests that get a connection and cannot use it.
    m.keepalive = 2s;
    m.hints = true;
    s.client.near = 700ms;
    s.client.upgrades = 50;
    s.client.count = 1;
  }
  config::Pool& pool = s.upstream.pool;
  pool.max_upgraded = dice.percent(70) ? 0 : 1;
  pool.max_connections = static_cast<uint32_t>(dice.between(1, 3));
  pool.queue_timeout = 2s;
  pool.keepalive_timeout.reset();
  if (!m.hints) pool.keepalive_timeout = 6s;
  pool.keepalive_requests = 1000;
  pool.keepalive_time = 1h;
  s.server_link.window = s.client_link.window = 65536;
  s.server_link.most_delay = dice.percent(50) ? Duration(100us) : Duration(5ms);
  s.client_link.most_delay = 100us;
  s.server_link.least_delay = s.client_link.least_delay = Duration(0);
  s.most_lag = dice.percent(m.hints ? 50 : 80) ? Duration(10ms) : Duration(0);
}

// Clients that are slower than the minimum rates, in both directions, and others that are not.
void make_crawl(Dice& dice, Scenario& s) {
  s.client.crawling = 50;
  s.client.count = 4;
  s.client.most_requests = 2;
  // Behind another request an upload looks fast.
  s.client.pipelining = dice.percent(50) ? 80 : 0;
  s.client.posts = 50;
  s.client.most_body = 3000;
  s.client.slow_reading = s.client.slow_writing = s.client.stalls = 0;
  s.server.large = dice.percent(70) ? 400 : 0;
  s.server.pieces = s.server.slow_reading = 0;
  // A large body by single bytes would never end.
  if (s.server.large > 0) s.client_link.short_percent = s.server_link.short_percent = 0;
  constexpr uint32_t kWindows[] = {300, 4096, 4096};
  s.client_link.window = dice.of(kWindows);
  s.server_link.window = dice.of(kWindows);
  constexpr Duration kPatience = 2s;
  s.listener.body_timeout = s.listener.send_timeout = kPatience;
  s.listener.min_body_rate = s.listener.min_send_rate = 200;
  constexpr uint64_t kBuffers[] = {100, 100, 1024, 64 * 1024};
  s.upstream.request_buffer = dice.of(kBuffers);
  s.upstream.response_buffer = dice.of(kBuffers);
  s.upstream.pool.max_connections = static_cast<uint32_t>(dice.between(1, 3));
  s.upstream.pool.queue_timeout = 30s;
  s.upstream.idle_timeout = s.upstream.response_timeout = 10s;
}

// Sessions of many clients on few connections: they wait for their servers, which stay or, in some
// seeds, come and go, so that the backup has to help.
void make_sessions(Dice& dice, Scenario& s) {
  s.workers = static_cast<uint32_t>(dice.between(2, 4));
  s.servers = static_cast<uint32_t>(dice.between(2, 3));
  s.upstreams = 1;
  s.client.count = static_cast<uint32_t>(dice.between(6, 16));
  s.client.most_requests = 6;
  s.client.stays = 80;
  s.client.aborts = s.client.stalls = s.client.crawling = 0;
  s.client.slow_reading = s.client.slow_writing = 0;
  s.client.most_pause = 5ms;
  s.client_link.window = s.server_link.window = 65536;
  s.spread = 30ms;
  s.server = ServerManners();
  s.server.most_think = dice.percent(50) ? Duration(3ms) : Duration(30ms);
  s.reloads = s.restarts = s.sleeps = 0;
  s.most_lag = Duration(0);
  s.killed = s.drained = false;
  config::Upstream& u = s.upstream;
  u.pool.max_connections = static_cast<uint32_t>(dice.between(1, 2));
  u.pool.queue_size = 1024;
  u.pool.queue_timeout = 2s;
  u.pool.keepalive_requests = 1000;
  u.pool.keepalive_time = 1h;
  u.connect_timeout = 2s;
  be_patient_with_clients(s.listener);
  s.listener.max_connections = 0;
  u.sticky.cookie = dice.percent(70) ? "berth" : "";
  s.backups = dice.percent(50);
  if (dice.percent(40)) return;
  s.server.polite = false;
  s.server.connect_fails_at_once = dice.percent(50) ? 300 : 0;
  s.server.connect_refused = dice.percent(50) ? 300 : 0;
  s.server.close_after = dice.percent(50) ? 300 : 0;
  s.restarts = static_cast<uint32_t>(dice.between(1, 4));
}

// Requests that hold a connection while others wait: uploads whose clients fall silent, or, in the
// other half of the seeds, a server that takes its time, for which no client may pay.
void make_rest(Dice& dice, Scenario& s) {
  s.servers = s.upstreams = 1;
  s.reloads = s.restarts = s.sleeps = s.by_hand = s.illnesses = 0;
  s.killed = s.drained = false;
  s.most_lag = Duration(0);
  s.server_link.window = 65536;
  s.server_link.short_percent = 0;
  s.server = ServerManners();
  s.client = ClientManners();
  s.client.count = static_cast<uint32_t>(dice.between(6, 10));
  s.client.most_body = 3000;
  s.client.posts = 70;
  const bool slow_server = dice.percent(50);
  // Either way bodies come in pieces, behind their heads.
  s.client.stalls = slow_server ? 0 : 60;
  s.client_link.short_percent = slow_server ? 50 : 0;
  s.client_link.window = slow_server ? 65536 : 300;
  s.client_link.least_delay = Duration(0);
  s.client_link.most_delay = slow_server ? Duration(2ms) : Duration(15ms);
  s.client.aborts = dice.percent(30) ? 20 : 0;
  s.server.most_think = slow_server ? Duration(2500ms) : Duration(5ms);
  s.listener.max_connections = 0;
  config::Upstream& u = s.upstream;
  u.request_body = config::RequestBody::Stream;
  u.health.enabled = false;
  u.sticky.cookie.clear();
  u.response_timeout = u.idle_timeout = 10s;
  u.pool.max_connections = static_cast<uint32_t>(dice.between(1, 3));
  u.pool.min_idle = 0;
  u.pool.queue_size = 1024;
  u.pool.queue_timeout = 30s;
}

// Tunnels over both protocols, to servers that take little at a time, end them first, or hold on to
// them; in half of the seeds large uploads beside them, which have to wait for such servers.
void make_tunnels(Dice& dice, Scenario& s) {
  s.workers = static_cast<uint32_t>(dice.between(1, 2));
  s.servers = s.upstreams = 1;
  s.restarts = s.by_hand = s.illnesses = 0;
  s.killed = false;
  s.drained = dice.percent(30);
  s.reloads = dice.percent(30) ? 2 : 0;
  s.sleeps = dice.percent(30) ? 3 : 0;
  s.longest_sleep = s.sleep_within = 300ms;
  s.most_lag = dice.percent(30) ? Duration(2ms) : Duration(0);
  s.memory_budget = Scenario::kAmple;
  s.spool = SpoolManners();
  s.server = ServerManners();
  s.server.of_all_kinds = dice.percent(60);
  s.client = ClientManners();
  s.client.count = 4;
  s.client.upgrades = 80;
  s.client.aborts = dice.percent(30) ? 20 : 0;
  s.http2_clients = static_cast<uint32_t>(dice.between(2, 3));
  constexpr uint32_t kWindows[] = {17, 300, 4096};
  s.server_link.window = dice.of(kWindows);
  s.client_link.window = 65536;
  s.client_link.short_percent = s.server_link.short_percent = 0;
  s.server_link.least_delay = s.client_link.least_delay = Duration(0);
  s.server_link.most_delay = s.client_link.most_delay = 2ms;
  be_patient_with_clients(s.listener);
  s.listener.max_connections = 0;
  config::Upstream& u = s.upstream;
  u.health.enabled = false;
  u.sticky.cookie.clear();
  u.response_timeout = u.idle_timeout = 10s;
  u.pool.min_idle = 0;
  u.pool.max_connections = static_cast<uint32_t>(dice.between(1, 3));
  u.pool.max_upgraded = static_cast<uint32_t>(dice.of({1, 2, 2, 1024}));
  u.pool.queue_size = 1024;
  u.pool.queue_timeout = 30s;
  if (dice.percent(50)) return;
  u.request_body = config::RequestBody::Stream;
  s.client.upgrades = 20;
  s.client.large = 300;
  s.server_link.window = 4096;
  s.server.slow_reading = 0;
}

// Uploads that trickle while the request before them, on the same connection, takes its time: their
// beginning has come long before it is read, and then all at once.
void make_behind(Dice& dice, Scenario& s) {
  s.servers = s.upstreams = 1;
  s.http2_clients = 0;
  s.reloads = s.restarts = s.sleeps = s.by_hand = s.illnesses = 0;
  s.killed = s.drained = false;
  s.most_lag = dice.percent(30) ? Duration(2ms) : Duration(0);
  s.memory_budget = Scenario::kAmple;
  s.spool = SpoolManners();
  s.server = ServerManners();
  s.server.least_think = 5s;
  s.server.most_think = 9s;
  s.client = ClientManners();
  s.client.count = static_cast<uint32_t>(dice.between(1, 3));
  s.client.crawling = s.client.pipelining = 100;
  s.client.posts = 50;
  s.client.most_body = 3000;
  s.client_link = s.server_link = LinkManners{.most_delay = 2ms};
  s.listener.max_connections = 0;
  s.listener.header_timeout = 1min;  // heads trickle, too
  s.listener.keepalive_timeout = 75s;
  config::Upstream& u = s.upstream;
  u.request_body = config::RequestBody::Auto;
  u.request_buffer = dice.percent(70) ? 100 : 300;
  u.health.enabled = false;
  u.sticky.cookie.clear();
  u.response_timeout = u.idle_timeout = 15s;
  u.pool.max_connections = static_cast<uint32_t>(dice.between(2, 4));
  u.pool.min_idle = 0;
  u.pool.queue_size = 1024;
  u.pool.queue_timeout = 30s;
}

// Connections that are kept warm beside others, which are used again just below the age at which
// the server, which does not announce it, closes them.
void make_warm(Dice& dice, Scenario& s) {
  s.workers = s.servers = s.upstreams = 1;
  s.http2_clients = 0;
  s.reloads = s.restarts = s.sleeps = s.by_hand = s.illnesses = 0;
  s.killed = s.drained = false;
  s.most_lag = Duration(0);
  s.memory_budget = Scenario::kAmple;
  s.server = ServerManners();
  s.server.hints = false;
  s.server.keepalive = 1s;
  s.client = ClientManners();
  s.client.count = static_cast<uint32_t>(dice.between(1, 3));
  s.client.most_requests = 40;
  s.client.near = dice.between(600ms, 950ms);
  s.client.near_pauses = 80;
  s.client.long_pauses = 50;
  s.client_link = s.server_link = LinkManners{.most_delay = 200us};
  s.listener.keepalive_timeout = 75s;
  s.listener.keepalive_requests = 1000;
  s.listener.keepalive_time = 1h;
  s.listener.max_connections = 0;
  config::Upstream& u = s.upstream;
  u.health.enabled = false;
  u.sticky.cookie.clear();
  u.pool.max_connections = 4;
  u.pool.max_idle = 32;
  u.pool.min_idle = 2;
  u.pool.keepalive_timeout.reset();
  u.pool.keepalive_requests = 1000;
  u.pool.keepalive_time = 1h;
}

// A server that announces nothing is restarted once connections have come to lie idle, and closes
// them all at once; or it has had a short timeout, which was learned, and has a longer one then.
// In some seeds there are more connections at times than are kept.
void make_lessons(Dice& dice, Scenario& s) {
  make_warm(dice, s);
  s.idle_closes_by_age = true;
  s.restarts = dice.percent(70) ? 1 : 2;
  s.spread = dice.percent(50) ? Duration(100ms) : Duration(10s);
  s.attach_failures = 0;
  s.server.keepalive = 30s;
  s.client.count = static_cast<uint32_t>(dice.between(3, 8));
  s.client.near = {};
  s.client.near_pauses = 0;
  s.client.most_pause = 3s;
  s.client.long_pauses = 20;
  s.upstream.ejection.enabled = false;
  s.upstream.pool.min_idle = 0;
  s.upstream.pool.max_connections = 16;
  if (dice.percent(30)) s.upstream.pool.max_idle = static_cast<uint32_t>(dice.between(1, 2));
  if (dice.percent(50)) return;
  s.server.keepalive = 1s;
  s.server.keepalive_when_restarted = 30s;
  s.spread = 10s;
  s.client.count = static_cast<uint32_t>(dice.between(2, 4));
  s.client.least_requests = 20;
  s.client.most_pause = 4s;
}

// Servers that are never there.
void make_absent(Dice& dice, Scenario& s) {
  s.server.polite = false;
  s.server.connect_silent = 0;
  s.server.connect_refused = 1000;
  s.reloads = 0;
  s.upstream.pool.max_connections = 128;
  s.upstream.pool.queue_timeout = dice.percent(50) ? Duration(2s) : Duration(5s);
}

// Large answers for clients of which many take nothing for a while, and too little memory for them
// all.
void make_hoard(Dice& dice, Scenario& s) {
  s.workers = s.servers = s.upstreams = 1;
  s.http2_clients = 0;
  s.reloads = s.restarts = s.sleeps = s.by_hand = s.illnesses = 0;
  s.killed = s.drained = s.backups = false;
  s.most_lag = Duration(0);
  s.attach_failures = 0;
  s.spool = SpoolManners();
  s.memory_is_shared = true;
  s.memory_budget = dice.of<uint64_t>({400, 1000, 2000}) * 1000;
  s.server = ServerManners();
  s.server.large = 800;
  s.client = ClientManners();
  s.client.one_address = dice.percent(50);
  s.client.count = s.client.one_address ? 12 : 24;
  s.client.posts = 0;
  s.client.stalls = 60;
  s.client.deaf_stalls = 100;
  s.listener.keepalive_timeout = 75s;
  s.server_link = LinkManners{.most_delay = 1ms, .window = 4096};
  s.client_link = LinkManners{.most_delay = 10ms, .window = 4096};
  s.listener.max_connections = 0;
  config::Upstream& u = s.upstream;
  u.health.enabled = false;
  u.sticky.cookie.clear();
  u.response_buffer = 1 << 20;
  u.response_timeout = u.idle_timeout = 60s;
  u.pool.min_idle = 0;
  u.pool.max_connections = 32;
  u.pool.rest_timeout.reset();
}

}  // namespace berth::sim
