// What was asked and what was answered: both ends of the simulation write here, and each checks
// what it sees against it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "proxy/base/time.h"

namespace berth::sim {

class Link;
class ServerConnection;

struct RequestRecord {
  uint64_t id = 0;
  std::string method;
  bool idempotent = false;  // or with an Idempotency-Key
  bool chunked = false;
  bool expects = false;
  bool crawls = false;  // its client is slower than any rate
  bool sent = false;    // to its end
  bool upgrade = false;
  bool trailers = false;
  bool garbage = false;  // must never reach a server
  uint64_t fill = 0;     // of X-Fill
  std::string host;
  TimePoint began = TimePoint::max();  // when its first byte left the client
  uint64_t body_size = 0;
  uint32_t client = 0;
  const Link* link = nullptr;  // its client's connection
  std::string client_ip;
  uint64_t tunnel_bytes = 0;          // sent by the client through its tunnel
  bool tunnel_shut = false;           // and that was all of them
  uint32_t heads_seen = 0;            // how often a server has begun with it
  TimePoint left = TimePoint::max();  // its client has gone, and the proxy can tell
  bool dropped = false;  // the proxy has said that it serves no more: it must not be sent on
};

// One answer that a server has begun to give.
struct AttemptRecord {
  uint64_t serial = 0;
  uint64_t request = 0;
  int status = 0;
  uint64_t body_size = 0;
  uint64_t fill = 0;
  bool complete = true;  // the server gives all of it
  // It ended by closing before all of the request had come: what came then was answered with RST,
  // which may hide that end.
  bool may_break_off = false;
  bool tunnel = false;
  uint64_t begins = 0;         // in the stream of its connection
  uint64_t ends = UINT64_MAX;  // likewise, once it is all said
  bool unsolicited = false;    // nobody has asked
  uint32_t server = 0;         // its index
  ServerConnection* connection = nullptr;
};

class Ledger {
 public:
  RequestRecord& new_request() {
    RequestRecord& made = requests_.emplace_back();
    made.id = requests_.size();
    return made;
  }
  AttemptRecord& new_attempt() {
    AttemptRecord& made = attempts_.emplace_back();
    made.serial = kFirstSerial + attempts_.size();
    return made;
  }
  // nullptr: no such.
  RequestRecord* request(uint64_t id) {
    return id >= 1 && id <= requests_.size() ? &requests_[id - 1] : nullptr;
  }
  AttemptRecord* attempt(uint64_t serial) {
    return serial > kFirstSerial && serial <= kFirstSerial + attempts_.size()
               ? &attempts_[serial - kFirstSerial - 1]
               : nullptr;
  }

  // The last answer that a server has begun to give to it; nullptr: none.
  AttemptRecord* last_attempt(uint64_t request_id) {
    const auto at = std::find_if(attempts_.rbegin(), attempts_.rend(),
                                 [&](const AttemptRecord& a) { return a.request == request_id; });
    return at == attempts_.rend() ? nullptr : &*at;
  }

  // When the proxy last ended a request of a client, by its address, because it rested while others
  // waited.
  std::map<std::string, TimePoint> rests_ended;
  bool ended_for_rest(const RequestRecord& request) const {
    const auto at = rests_ended.find(request.client_ip);
    return at != rests_ended.end() && at->second >= request.began;
  }

  // Sticky cookies by value: which server each one names.
  std::map<std::string, uint32_t> cookies;

  // How often what came out: for the summary, which shows what a run has covered.
  std::map<std::string, uint64_t> outcomes;
  void count(const std::string& outcome) { ++outcomes[outcome]; }

 private:
  static constexpr uint64_t kFirstSerial = 1'000'000;  // so that ids and serials never meet
  std::deque<RequestRecord> requests_;
  std::deque<AttemptRecord> attempts_;
};

}  // namespace berth::sim
