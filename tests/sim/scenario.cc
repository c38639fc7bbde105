#include "tests/sim/scenario.h"

#include <algorithm>

#include "tests/sim/server_model.h"

namespace berth::sim {

namespace {

// `most`, but in most seeds nothing.
uint32_t maybe(Dice& dice, uint64_t chance, uint32_t most) {
  return dice.percent(chance) ? static_cast<uint32_t>(dice.between(1, most)) : 0;
}

LinkManners draw_link(Dice& dice) {
  LinkManners out;
  constexpr Duration kDelays[] = {0us, 200us, 2ms, 2ms, 15ms};
  out.most_delay = dice.of(kDelays);
  if (dice.percent(30)) out.least_delay = out.most_delay / 2;
  constexpr uint32_t kWindows[] = {65536, 65536, 65536, 65536, 4096, 4096, 300, 300, 17};
  out.window = dice.of(kWindows);
  out.short_percent = maybe(dice, 30, 50);
  return out;
}

void draw_server(Dice& dice, Scenario& s) {
  ServerManners& m = s.server;
  constexpr Duration kKeepalives[] = {5s, 5s, 2s, 1s, 10s, 0s};
  m.keepalive = dice.of(kKeepalives);
  m.hints = dice.percent(70);
  if (!m.hints && m.keepalive == Duration(0)) m.keepalive = 5s;
  if (dice.percent(20)) {
    m.max_style = dice.percent(50) ? ServerManners::MaxStyle::Countdown
                                   : ServerManners::MaxStyle::ConstantThenClose;
    m.max_requests = static_cast<uint32_t>(dice.between(1, 4));
  }
  constexpr Duration kThinks[] = {0ms, 1ms, 5ms, 50ms, 800ms};
  m.most_think = dice.of(kThinks);
  m.pieces = maybe(dice, 40, 60);
  m.slow_reading = maybe(dice, 20, 60);
  m.close_after = maybe(dice, 30, 500);
  m.close_lazily = maybe(dice, 50, 1000);
  m.http10 = maybe(dice, 15, 500);
  m.until_close = maybe(dice, 20, 400);
  m.interim = maybe(dice, 20, 500);
  m.no_content = maybe(dice, 20, 300);
  m.early = maybe(dice, 20, 600);
  m.most_connect = dice.percent(20) ? Duration(60ms) : Duration(2ms);
  m.polite = dice.percent(40);
  if (m.polite) return;
  m.fin_before = maybe(dice, 25, 300);
  m.rst_before = maybe(dice, 25, 300);
  m.fin_within = maybe(dice, 25, 300);
  m.rst_within = maybe(dice, 25, 300);
  m.stall_before = maybe(dice, 15, 200);
  m.stall_within = maybe(dice, 15, 200);
  m.garbage = maybe(dice, 20, 300);
  m.leftover = maybe(dice, 20, 300);
  m.unsolicited = maybe(dice, 20, 500);
  m.reset_idle = maybe(dice, 30, 1000);
  m.connect_refused = maybe(dice, 20, 400);
  m.connect_fails_at_once = maybe(dice, 20, 400);
  m.connect_silent = maybe(dice, 15, 300);
}

void draw_client(Dice& dice, Scenario& s) {
  ClientManners& m = s.client;
  constexpr uint32_t kCounts[] = {1, 2, 4, 4, 8, 16};
  m.count = dice.of(kCounts);
  m.most_requests = static_cast<uint32_t>(dice.between(1, 6));
  m.pipelining = maybe(dice, 25, 80);
  m.posts = static_cast<uint32_t>(dice.of({0, 20, 50}));
  m.chunked = maybe(dice, 50, 80);
  m.upgrades = maybe(dice, 20, 40);
  m.expects = maybe(dice, 20, 60);
  m.http10 = maybe(dice, 20, 80);
  m.slow_reading = maybe(dice, 20, 60);
  m.slow_writing = maybe(dice, 20, 60);
  m.aborts = maybe(dice, 25, 60);
  m.half_closes = maybe(dice, 20, 60);
  m.garbage = maybe(dice, 15, 200);
  m.stalls = maybe(dice, 12, 40);
  constexpr uint64_t kBodies[] = {20, 300, 300, 3000};
  m.most_body = dice.of(kBodies);
  constexpr Duration kPauses[] = {0ms, 2ms, 30ms, 1500ms};
  m.most_pause = dice.of(kPauses);
  m.long_pauses = maybe(dice, 40, 40);
  if (dice.percent(4) && s.client_link.window > 1000 && s.server_link.window > 1000) {
    m.large = 200;
    s.server.large = 200;
    // Writes that are cut short soon make single bytes of it, and it never ends.
    s.client_link.short_percent = s.server_link.short_percent = 0;
  }
}

void draw_limits(Dice& dice, Scenario& s) {
  config::Listener& l = s.listener;
  l.name = "front";
  l.address = "10.9.9.9:80";
  constexpr Duration kKeepalives[] = {75s, 20s, 5s, 2s};
  l.keepalive_timeout = dice.of(kKeepalives);
  if (dice.percent(20)) l.keepalive_requests = static_cast<uint32_t>(dice.between(1, 4));
  if (dice.percent(10)) l.keepalive_time = dice.between(10ms, 5s);
  if (dice.percent(10)) l.max_connections = static_cast<uint32_t>(dice.between(1, 4));
  if (dice.percent(30)) l.max_head = 4096;
  if (s.client.half_closes > 0) l.half_close = config::HalfClose::Serve;

  config::Upstream& u = s.upstream;
  u.name = "app";
  constexpr config::Balance kBalances[] = {config::Balance::LeastRequests,
                                           config::Balance::RoundRobin, config::Balance::RandomTwo};
  u.balance = dice.of(kBalances);
  constexpr uint32_t kConnections[] = {1, 1, 2, 3, 8, 128};
  u.pool.max_connections = dice.of(kConnections);
  constexpr uint32_t kIdle[] = {32, 32, 1, 2, 0};
  u.pool.max_idle = dice.of(kIdle);
  if (dice.percent(20)) u.pool.keepalive_timeout = dice.between(50ms, 6s);
  if (dice.percent(20)) u.pool.keepalive_requests = static_cast<uint32_t>(dice.between(1, 4));
  if (dice.percent(15)) u.pool.keepalive_time = dice.between(1ms, 5s);
  if (dice.percent(20)) u.pool.reuse = config::Reuse::Fifo;
  constexpr uint32_t kQueues[] = {1024, 1024, 1, 2, 0};
  u.pool.queue_size = dice.of(kQueues);
  constexpr Duration kQueueTimeouts[] = {2s, 2s, 30s, 20ms};
  u.pool.queue_timeout = dice.of(kQueueTimeouts);
  u.pool.max_upgraded = static_cast<uint32_t>(dice.of({0, 1, 2, 1024}));
  u.retry.attempts = static_cast<uint32_t>(dice.between(1, 4));
  if (dice.percent(30)) u.retry.budget_min = static_cast<uint32_t>(dice.between(0, 2));
  if (dice.percent(40)) u.retry.non_idempotent = config::RetryNonIdempotent::FinProved;
  u.connect_timeout = dice.percent(50) ? Duration(2s) : Duration(100ms);
  u.response_timeout = 3s;
  u.idle_timeout = 4s;  // longer than a server may be blocked
  u.upgrade_timeout = 5s;
  constexpr uint64_t kBuffers[] = {64 * 1024, 1024, 100};
  u.request_buffer = dice.of(kBuffers);
  u.response_buffer = dice.of(kBuffers);
}

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

// Clients that give up, answers that do not come in time, and servers whose event loops sleep: the
// connections that the proxy is done with, and the server is not. Dice of its own, as below.
void draw_leaving(Dice dice, Scenario& s) {
  s.server.of_all_kinds = dice.percent(40);
  constexpr Duration kAccepts[] = {0ms, 0ms, 200us, 5ms};
  s.server.most_accept = dice.of(kAccepts);
  s.listener.half_close = config::HalfClose::Serve;
  if (s.client.crawling > 0 || !dice.percent(20)) return;
  s.sleeps = static_cast<uint32_t>(dice.between(2, 10));
  constexpr Duration kSleeps[] = {50ms, 300ms, 2s};
  s.longest_sleep = dice.of(kSleeps);
  s.sleep_within = dice.percent(50) ? Duration(50ms) : Duration(1s);
  s.client.count = std::max(s.client.count, 4U);
  s.client.aborts = 50;
  config::Upstream& u = s.upstream;
  u.pool.max_connections = static_cast<uint32_t>(dice.between(1, 3));
  constexpr Duration kPatience[] = {50ms, 300ms, 3s};
  u.response_timeout = dice.of(kPatience);
}

// From dice of its own: what else a seed draws does not depend on it.
void draw_balancing(Dice dice, Scenario& s) {
  config::Upstream& u = s.upstream;
  if (dice.percent(25)) {
    u.balance = config::Balance::Hash;
    if (dice.percent(60)) u.hash = {config::HashBy::Header, "X-Key"};
  }
  if (dice.percent(25)) u.sticky.cookie = "berth";
  if (dice.percent(20)) u.slow_start = dice.between(1s, 3s);
  s.weighted = dice.percent(30);
  s.backups = dice.percent(25);
  if (dice.percent(20)) s.servers = static_cast<uint32_t>(dice.between(2, 4));
  if (dice.percent(12)) make_sessions(dice, s);
}

// Servers that are left out when their requests fail. Has dice of its own, so that the rest of a
// seed's scenario stays what it was.
void draw_health(Dice dice, Scenario& s) {
  config::HealthCheck& check = s.upstream.health;
  check.path = kHealthPath;
  if (dice.percent(25)) {
    check.enabled = true;
    check.interval = dice.between(50ms, 2s);
    check.timeout = dice.between(20ms, 1s);
    check.healthy_after = static_cast<uint32_t>(dice.between(1, 3));
    check.unhealthy_after = static_cast<uint32_t>(dice.between(1, 3));
    s.illnesses = static_cast<uint32_t>(dice.between(0, 4));
  }
  if (dice.percent(20)) s.by_hand = static_cast<uint32_t>(dice.between(1, 4));
  if (dice.percent(20)) {
    config::Pool& pool = s.upstream.pool;
    pool.min_idle = static_cast<uint32_t>(dice.between(1, 4));
    pool.min_idle = std::min({pool.min_idle, pool.max_idle, pool.max_connections});
  }
  config::Ejection& e = s.upstream.ejection;
  if (dice.percent(50)) return;
  e.enabled = dice.percent(90);
  e.errors = static_cast<uint32_t>(dice.between(1, 5));
  e.count = dice.of({config::EjectFor::Failures, config::EjectFor::GatewayErrors,
                     config::EjectFor::ServerErrors});
  e.time = dice.between(100ms, 4s);
  e.max_time = e.time * static_cast<int64_t>(dice.between(1, 4));
  e.max_percent = dice.percent(50) ? 50 : 100;
}

// When bodies take a connection, and the disk that they wait on. Dice of its own, too.
void draw_bodies(Dice dice, Scenario& s) {
  if (dice.percent(40)) {
    s.upstream.request_body =
        dice.percent(50) ? config::RequestBody::Stream : config::RequestBody::Spool;
  }
  constexpr uint64_t kSizes[] = {0, 0, 150, 5000};
  constexpr uint64_t kRooms[] = {0, 200, 5000};
  if (dice.percent(s.client.crawling > 0 ? 50 : 20)) s.spool.max_size = dice.of(kSizes);
  if (dice.percent(15)) s.spool.room = dice.of(kRooms);
  s.spool.failures = maybe(dice, 10, 200);
}

// Requests that hold a connection while others wait: uploads whose clients fall silent, or, in the
// other half of the seeds, a server that takes its time, for which no client may pay.
void make_rest(Dice dice, Scenario& s) {
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

}  // namespace

Scenario Scenario::draw(uint64_t seed) {
  Dice dice(seed * 2 + 1);
  Scenario s;
  s.seed = seed;
  s.workers = static_cast<uint32_t>(dice.of({1, 1, 2, 2, 3, 4}));
  s.servers = static_cast<uint32_t>(dice.of({1, 1, 1, 2, 3}));
  s.client_link = draw_link(dice);
  s.server_link = draw_link(dice);
  s.server_link.acks_known = dice.percent(80);
  draw_server(dice, s);
  draw_client(dice, s);
  draw_limits(dice, s);
  s.reloads = maybe(dice, 25, 4);
  s.restarts = s.server.polite ? 0 : maybe(dice, 25, 3);
  if (dice.percent(20)) {
    s.sleeps = static_cast<uint32_t>(dice.between(1, 4));
    s.longest_sleep = dice.percent(50) ? Duration(200ms) : Duration(3s);
    s.sleep_within = 3s;
  }
  if (dice.percent(30)) s.most_lag = dice.percent(70) ? Duration(2ms) : Duration(100ms);
  if (dice.percent(10)) s.attach_failures = 100;
  constexpr Duration kSpreads[] = {0ms, 100ms, 2s};
  s.spread = dice.of(kSpreads);
  if (dice.percent(15)) s.memory_budget = dice.between(0, 600'000);
  if (dice.percent(40)) s.most_mail_delay = dice.percent(50) ? Duration(500us) : Duration(10ms);
  const uint64_t theme = dice.below(100);
  if (theme < 25) make_crowd(dice, s);
  if (theme >= 25 && theme < 40) make_race(dice, s);
  if (theme >= 40 && theme < 46) make_crawl(dice, s);
  s.killed = dice.percent(10);
  s.drained = dice.percent(8);
  if (dice.percent(25)) s.upstreams = 2;
  draw_balancing(Dice(~seed), s);
  Dice http2(seed * 2 + 1'000'003);
  s.listener.http2.cleartext = true;
  if (http2.percent(40) && s.client.crawling == 0) {
    s.http2_clients = static_cast<uint32_t>(http2.between(1, 3));
  }
  draw_health(Dice(seed ^ 0x4865616c7468), s);
  draw_bodies(Dice(seed ^ 0x626f64696573), s);
  draw_leaving(Dice(seed ^ 0x6c65617665), s);
  Dice rest(seed ^ 0x72657374);
  if (rest.percent(4)) make_rest(rest, s);
  Dice tunnels(seed ^ 0x74756e6e656c);
  if (tunnels.percent(4)) make_tunnels(tunnels, s);
  return s;
}

std::string Scenario::describe() const {
  return std::to_string(workers) + " workers, " + std::to_string(servers) + " servers, " +
         std::to_string(client.count) + " clients, " + std::to_string(http2_clients) +
         " of HTTP/2, " + std::to_string(upstream.pool.max_connections) + " connections each" +
         (server.polite ? ", polite" : "") + (reloads > 0 ? ", reloads" : "") +
         (upstream.sticky.cookie.empty() ? "" : ", sticky") + (backups ? ", backups" : "") +
         (restarts > 0 ? ", restarts" : "") + (by_hand > 0 ? ", drains" : "") +
         (upstream.health.enabled ? ", health checks" : "") +
         (upstream.pool.min_idle > 0 ? ", kept warm" : "") + (sleeps > 0 ? ", sleeps" : "") +
         (killed ? ", killed" : "");
}

}  // namespace berth::sim
