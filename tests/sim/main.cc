// The simulator as a program: many seeds, or one with its trace. The unit tests, which link the
// same files, bring a main() of their own.
#ifdef BERTH_SIM_MAIN

#include <sys/personality.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "tests/sim/simulation.h"

namespace {

using namespace berth::sim;

volatile std::sig_atomic_t reported = 0;
uint64_t current_seed = 0;

// An invariant inside the proxy, or a sanitizer: say at least which seed it was.
void on_abort(int) {
  if (reported == 0) {
    reported = 1;
    char text[128];
    const int size =
        std::snprintf(text, sizeof text, "seed %llu crashed\n  replay with: make sim SEED=%llu\n",
                      static_cast<unsigned long long>(current_seed),
                      static_cast<unsigned long long>(current_seed));
    [[maybe_unused]] ssize_t written = ::write(2, text, static_cast<size_t>(size));
  }
  std::signal(SIGABRT, SIG_DFL);
}

struct Options {
  uint64_t first = 1;
  uint64_t count = 1000;
  bool one = false;
  bool trace = false;
  bool quiet = false;
  uint64_t keep_going = 1;  // failures to show before it stops
};

void usage() {
  std::puts(
      "usage: sim [--seeds N] [--first SEED|random] [--failures N] [--quiet]\n"
      "       sim --seed SEED [--trace]");
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) {
      return std::strcmp(argv[i], name) == 0 && i + 1 < argc;
    };
    if (is("--seeds")) {
      options.count = std::strtoull(argv[++i], nullptr, 10);
    } else if (is("--first")) {
      ++i;
      options.first = std::strcmp(argv[i], "random") == 0
                          ? std::random_device()() * uint64_t{1'000'000}
                          : std::strtoull(argv[i], nullptr, 10);
    } else if (is("--seed")) {
      options.first = std::strtoull(argv[++i], nullptr, 10);
      options.count = 1;
      options.one = true;
    } else if (is("--failures")) {
      options.keep_going = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--trace") == 0) {
      options.trace = true;
    } else if (std::strcmp(argv[i], "--quiet") == 0) {
      options.quiet = true;
    } else {
      return false;
    }
  }
  return true;
}

void show(uint64_t seed, const Outcome& outcome, bool whole) {
  const size_t shown = whole ? outcome.trace.size() : std::min<size_t>(outcome.trace.size(), 40);
  for (size_t i = outcome.trace.size() - shown; i < outcome.trace.size(); ++i) {
    std::puts(outcome.trace[i].c_str());
  }
  if (outcome.failure.empty()) return;
  std::printf("seed %llu (%s): %s\n  replay with: make sim SEED=%llu\n",
              static_cast<unsigned long long>(seed), Scenario::draw(seed).describe().c_str(),
              outcome.failure.c_str(), static_cast<unsigned long long>(seed));
}

}  // namespace

int main(int argc, char** argv) {
  // Addresses decide the order of some hash tables: the same ones each time.
  const int persona = ::personality(0xffffffff);
  if (persona != -1 && (persona & ADDR_NO_RANDOMIZE) == 0 &&
      ::personality(static_cast<unsigned long>(persona) | ADDR_NO_RANDOMIZE) != -1) {
    ::execv("/proc/self/exe", argv);
  }
  Options options;
  if (!parse(argc, argv, options)) {
    usage();
    return 2;
  }
  std::signal(SIGABRT, on_abort);
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, uint64_t> counts;
  uint64_t failures = 0;
  uint64_t steps = 0;
  uint64_t done = 0;
  for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    current_seed = seed;
    const Outcome outcome = simulate(seed, options.trace);
    ++done;
    steps += outcome.steps;
    for (const auto& [what, count] : outcome.counts) counts[what] += count;
    if (options.one) show(seed, outcome, true);
    if (outcome.failure.empty()) continue;
    if (!options.one) {
      if (options.quiet) {
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
                    outcome.failure.c_str());
      } else {
        show(seed, simulate(seed, true), false);
      }
    }
    if (++failures >= options.keep_going) break;
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%llu seeds, %llu failed, %.1f s: %.0f schedules and %.0f steps a second\n",
              static_cast<unsigned long long>(done), static_cast<unsigned long long>(failures),
              took, static_cast<double>(done) / took, static_cast<double>(steps) / took);
  if (!options.one && !options.quiet) {
    for (const auto& [what, count] : counts) {
      std::printf("  %-44s %llu\n", what.c_str(), static_cast<unsigned long long>(count));
    }
  }
  return failures == 0 ? 0 : 1;
}

#endif  // BERTH_SIM_MAIN
