#include "tests/sim/memory_check.h"

#include <map>

namespace berth::sim {

namespace {
// What heads differ by.
constexpr uint64_t kHeads = 2048;
// What is surely looked at, and since when it surely has been kept.
constexpr uint64_t kMuch = 16 * 1024;
constexpr Duration kLong = 5s;
// The parts of the budget that one connection and one address may have.
constexpr uint64_t kOfConnection = 8;
constexpr uint64_t kOfAddress = 4;
}  // namespace

void MemoryCheck::look(const std::deque<ClientModel>& clients) const {
  const Scenario& s = site_.scenario;
  if (!s.memory_is_shared) return;
  // What a turn may read beyond a share before that is noticed.
  const uint64_t turn = s.server_link.window + kHeads;
  const auto too_much = [&](const char* who, uint64_t held, uint64_t share) {
    site_.world.fail("%llu bytes are held for %s, whose share is %llu",
                     static_cast<unsigned long long>(held), who,
                     static_cast<unsigned long long>(share));
  };
  std::map<std::string, uint64_t> by_address;
  uint64_t all = 0;
  for (const ClientModel& client : clients) {
    const uint64_t held = client.held_for_it();
    const uint64_t share = s.memory_budget / kOfConnection;
    if (held > share + turn) too_much("a connection", held, share);
    by_address[client.ip()] += held;
    all += held;
  }
  const uint64_t turns = turn * clients.size();
  for (const auto& [ip, held] : by_address) {
    const uint64_t share = s.memory_budget / kOfAddress;
    if (held > share + turns) too_much(ip.c_str(), held, share);
  }
  if (all > s.memory_budget + turns) too_much("all clients", all, s.memory_budget);
}

void MemoryCheck::judge_loss(uint32_t client, const std::deque<ClientModel>& clients) const {
  if (!site_.scenario.memory_is_shared) return;
  site_.ledger.count("a reader lost its answer for memory");
  for (const ClientModel& other : clients) {
    if (other.held_for_it() >= kMuch && other.answer_rests_for() >= kLong) {
      site_.world.fail("client %u reads, and lost its answer before one that takes nothing, %s",
                       client, other.describe().c_str());
    }
  }
}

}  // namespace berth::sim
