// What the admin pages ask the server for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proxy/base/time.h"
#include "proxy/stats/collector.h"
#include "proxy/stats/registry.h"

namespace berth::server {

enum class Readiness : uint8_t { Starting, Ready, Draining };

// How the last reload ended.
struct ReloadOutcome {
  bool ok = true;
  std::string error;    // !ok: why the running configuration was kept
  int64_t time_ms = 0;  // milliseconds since 1970
};

// Thread: the main thread, on which the admin server runs. Outlives the admin server.
class AdminContext {
 public:
  virtual std::string version() const = 0;
  virtual Readiness readiness() const = 0;  // Ready: every worker accepts
  virtual Duration uptime() const = 0;
  virtual uint64_t generation() const = 0;  // configurations that took effect so far
  virtual std::optional<ReloadOutcome> last_reload() const = 0;  // none: there was no reload yet
  virtual std::string effective_config() const = 0;              // YAML, secrets removed
  virtual const stats::Registry& registry() const = 0;
  virtual const stats::Collector& collector() const = 0;

 protected:
  ~AdminContext() = default;
};

}  // namespace berth::server
