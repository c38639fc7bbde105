// Invariants. BERTH_CHECK stays in release builds; BERTH_DCHECK only in debug builds.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace berth {

[[noreturn]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "berth: invariant broken: %s (%s:%d)\n", what, file, line);
  std::abort();
}

}  // namespace berth

#define BERTH_CHECK(cond) \
  (static_cast<bool>(cond) ? void(0) : ::berth::check_failed(#cond, __FILE__, __LINE__))

#ifdef NDEBUG
#define BERTH_DCHECK(cond) void(0)
#else
#define BERTH_DCHECK(cond) BERTH_CHECK(cond)
#endif
