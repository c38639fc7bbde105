// What one simulation is made of, all of it drawn from the seed. Each trait is on in some seeds and
// off in most, so that every pair of traits meets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proxy/config/config.h"
#include "tests/sim/link.h"
#include "tests/sim/sim_spool.h"
#include "tests/sim/world.h"

namespace berth::sim {

// What an app server does when the proxy shuts down its side of a connection.
enum class OnHalfClose : uint8_t {
  Abort,       // closes; a request that is under way is cancelled (Node)
  Answer,      // takes no notice, answers late and whole, then closes (Go, Python)
  Ignore,      // never closes by itself
  FinAndRead,  // as Node, but whenever it closes it goes on reading until the proxy closes too
};

// How app servers behave. Chances are per thousand requests (or connections).
struct ServerManners {
  Duration keepalive = 5s;              // closes a connection that has been idle for so long
  Duration keepalive_when_restarted{};  // 0: the same
  bool hints = true;                    // and says so: Keep-Alive: timeout=
  enum class MaxStyle : uint8_t { None, ConstantThenClose, Countdown };
  MaxStyle max_style = MaxStyle::None;
  uint32_t max_requests = 0;
  Duration least_think{};
  Duration most_think = 3ms;
  uint32_t pieces = 0;        // percent of the responses that are written in pieces
  uint32_t slow_reading = 0;  // percent of the connections on which requests are read slowly
  uint32_t large = 0;         // permille of bodies of more than 64 KiB
  uint32_t close_after = 0;   // Connection: close
  uint32_t close_lazily = 0;  // and then takes its time to close
  uint32_t http10 = 0;
  uint32_t until_close = 0;
  uint32_t interim = 0;
  uint32_t no_content = 0;  // 204 and 304
  uint32_t early = 0;       // answers before the body has come
  uint32_t fin_before = 0;  // hangs up without an answer
  uint32_t rst_before = 0;
  uint32_t fin_within = 0;  // hangs up in the middle of the answer
  uint32_t rst_within = 0;
  uint32_t stall_before = 0;  // never answers
  uint32_t stall_within = 0;  // never finishes
  uint32_t garbage = 0;       // answers with what is no response
  uint32_t leftover = 0;      // says more than it should
  uint32_t unsolicited = 0;   // speaks on an idle connection
  uint32_t reset_idle = 0;    // closes idle connections with RST
  uint32_t connect_refused = 0;
  uint32_t connect_fails_at_once = 0;
  uint32_t connect_silent = 0;
  Duration most_connect = 2ms;
  Duration most_accept{};     // how long a connection waits in the accept queue of an idle server
  bool of_all_kinds = false;  // each server has its own manner of OnHalfClose; or all are as Node
  bool polite = true;         // none of the faults above: every request gets its answer
};

struct ClientManners {
  uint32_t count = 4;
  uint32_t least_requests = 1;
  uint32_t most_requests = 6;
  uint32_t pipelining = 0;    // percent of the clients
  uint32_t posts = 30;        // percent of the requests
  uint32_t keyed = 20;        // percent of the posts that carry an Idempotency-Key
  uint32_t chunked = 30;      // percent of the bodies
  uint32_t heads = 5;         // percent
  uint32_t upgrades = 0;      // percent
  uint32_t expects = 0;       // percent of the bodies
  uint32_t http10 = 0;        // percent of the clients
  uint32_t slow_reading = 0;  // percent of the clients
  uint32_t slow_writing = 0;  // percent of the clients
  uint32_t crawling = 0;      // percent of the clients: slower than the minimum rates, both ways
  uint32_t aborts = 0;        // percent of the connections
  uint32_t half_closes = 0;   // percent of the connections
  uint32_t stays = 20;        // percent that leave it to the proxy to close
  uint32_t garbage = 0;       // permille of the requests
  uint32_t stalls = 0;        // percent of the connections that stop sending, or reading, for long
  uint32_t deaf_stalls = 50;  // percent of those that stop reading
  uint64_t most_body = 300;
  uint32_t large = 0;         // permille of bodies of more than 64 KiB
  Duration most_pause = 5ms;  // between an answer and the next request
  uint32_t long_pauses = 10;  // percent of the pauses that reach the keep-alive timeouts
  Duration near{};            // some pauses are as long as this, give or take a little
  uint32_t near_pauses = 0;   // percent
  bool one_address = false;   // all of them
};

struct Scenario {
  uint64_t seed = 0;
  uint32_t workers = 1;
  uint32_t servers = 1;
  uint32_t http2_clients = 0;  // besides those of HTTP/1
  ServerManners server;
  ClientManners client;
  LinkManners client_link;
  LinkManners server_link;
  config::Listener listener;
  config::Upstream upstream;  // without its servers
  bool weighted = false;      // servers of different weights
  bool backups = false;       // the last server of each upstream, if there is more than one
  uint32_t upstreams = 1;     // two: the second one for another host, with as many servers
  SpoolManners spool;
  uint64_t memory_budget = kAmple;  // a reload may change it, if it is less
  static constexpr uint64_t kAmple = 256 * config::kMiB;
  // Somebody may lose something for it.
  bool memory_short() const { return memory_budget < kAmple; }
  uint32_t reloads = 0;
  bool tls = false;  // to servers, and to clients; each reload may change its settings
  Duration reload_within = 3s;
  uint32_t restarts = 0;
  uint32_t sleeps = 0;     // a server's event loop does something else for a while
  uint32_t illnesses = 0;  // a server fails its health checks for a while
  uint32_t by_hand = 0;    // a server is drained by hand for a while
  Duration longest_sleep{};
  Duration sleep_within{};        // after the last client has come
  Duration most_lag{};            // how late a worker may be
  Duration most_mail_delay{};     // between two workers
  uint32_t attach_failures = 0;   // permille
  Duration spread = 100ms;        // clients arrive within
  bool memory_is_shared = false;  // by those clients: nothing else needs any
  // The proxy has no reason to close an idle connection but its age.
  bool idle_closes_by_age = false;
  bool killed = false;   // the proxy is stopped in the midst of it
  bool drained = false;  // it drains: accepts no more, and lets the others finish

  static Scenario draw(uint64_t seed);
  std::string describe() const;
  // No server is ever unavailable, none comes and none goes.
  bool calm() const {
    return server.polite && server.hints && restarts == 0 && reloads == 0 && sleeps == 0 &&
           upstream.connect_timeout > 1s && most_lag == Duration(0) && by_hand == 0 &&
           !upstream.health.enabled && upstream.pool.min_idle == 0 &&
           upstream.ejection.count == config::EjectFor::Failures;
  }
};

}  // namespace berth::sim
