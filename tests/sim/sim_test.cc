// The simulator in the unit tests: a fixed set of seeds. (Fresh ones: make sim FIRST=random.)
//
// SIM_SEEDS: how many seeds (default 800). SIM_SEED: this one only, with its trace.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/simulation.h"

namespace berth::sim {
namespace {

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string told(uint64_t seed) {
  const Outcome outcome = simulate(seed, true);
  std::string text = "seed " + std::to_string(seed) + " (" + Scenario::draw(seed).describe() +
                     "): " + outcome.failure + "\n";
  const size_t shown = std::min<size_t>(outcome.trace.size(), 60);
  for (size_t i = outcome.trace.size() - shown; i < outcome.trace.size(); ++i) {
    text += outcome.trace[i] + "\n";
  }
  return text + "replay with: make sim SEED=" + std::to_string(seed);
}

void expect_holds(uint64_t seed) {
  // A crash inside the proxy leaves only this to say which seed it was.
  ::setenv("SIM_SEED_AT_WORK", std::to_string(seed).c_str(), 1);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Outcome outcome = simulate(seed);
  if (!outcome.failure.empty()) ADD_FAILURE() << told(seed);
}

bool one_seed_only() {
  const uint64_t seed = from_environment("SIM_SEED", 0);
  if (seed == 0) return false;
  const Outcome outcome = simulate(seed, true);
  for (const std::string& line : outcome.trace) std::puts(line.c_str());
  EXPECT_EQ(outcome.failure, "");
  return true;
}

TEST(Simulation, HoldsForTheFixedSeeds) {
  if (one_seed_only()) return;
  const uint64_t count = from_environment("SIM_SEEDS", 800);
  for (uint64_t seed = 1; seed <= count && !HasFailure(); ++seed) expect_holds(seed);
}

TEST(Simulation, ReplaysExactly) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const Outcome once = simulate(seed);
    const Outcome again = simulate(seed);
    EXPECT_EQ(once.fingerprint, again.fingerprint) << "seed " << seed;
    EXPECT_EQ(once.steps, again.steps) << "seed " << seed;
  }
}

}  // namespace
}  // namespace berth::sim
