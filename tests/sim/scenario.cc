#include "tests/sim/scenario.h"

#include <algorithm>

#include "tests/sim/server_model.h"
#include "tests/sim/themes.h"

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

// Clients that give up, answers that do not come in time, and servers whose event loops sleep: the
// connections that the proxy is done with, and the server is not. Dice of its own, as below.
void draw_leaving(Dice dice, Scenario& s) {
  s.server.of_all_kinds = dice.percent(40);
  constexpr Duration kAccepts[] = {0ms, 0ms, 200us, 5ms};
  s.server.most_accept = dice.of(kAccepts);
  s.listener.half_close = config::HalfClose::Serve;
  Dice half(s.seed ^ 0x68616c66);
  if (s.client.half_closes == 0 && half.percent(60)) {
    s.listener.half_close = config::HalfClose::Abort;
  }
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
  s.tls = Dice(seed ^ 0x746c73).percent(40);
  Dice rest(seed ^ 0x72657374);
  if (rest.percent(4)) make_rest(rest, s);
  Dice tunnels(seed ^ 0x74756e6e656c);
  if (tunnels.percent(4)) make_tunnels(tunnels, s);
  Dice warm(seed ^ 0x7761726d);
  if (warm.percent(2)) make_warm(warm, s);
  Dice behind(seed ^ 0x626568696e64);
  if (behind.percent(2)) make_behind(behind, s);
  Dice memory(seed ^ 0x6d656d6f7279);
  if (memory.percent(2)) make_hoard(memory, s);
  Dice absent(seed ^ 0x616273656e74);
  if (absent.percent(1)) make_absent(absent, s);
  Dice lessons(seed ^ 0x6c6573736f6e);
  if (lessons.percent(3)) make_lessons(lessons, s);
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
