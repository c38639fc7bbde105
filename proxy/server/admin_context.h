// What the admin pages ask the server for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/time.h"
#include "proxy/server/reload_report.h"
#include "proxy/stats/collector.h"
#include "proxy/stats/registry.h"

namespace berth::server {

enum class Readiness : uint8_t { Starting, Ready, Draining };

// How the last reload ended.
struct ReloadOutcome {
  bool ok = true;
  std::vector<std::string> errors;  // !ok: why the running configuration was kept
  ReloadReport report;              // ok
  int64_t time_ms = 0;              // milliseconds since 1970
};

// Thread: the main thread, on which the admin server runs. Outlives the admin server.
class AdminContext {
 public:
  virtual std::string version() const = 0;
  virtual Readiness readiness() const = 0;  // Ready: every worker accepts
  virtual Duration uptime() const = 0;
  virtual uint64_t generation() const = 0;  // configurations that took effect so far
  virtual std::optional<ReloadOutcome> last_reload() const = 0;  // none: there was no reload yet
  // Reads the configuration again, as on SIGHUP.
  virtual ReloadOutcome reload_now() = 0;
  virtual std::string effective_config() const = 0;  // YAML, secrets removed
  // Names by which the listener may be asked for what is not for everybody (admin.hosts).
  virtual const std::vector<std::string>& admin_hosts() const = 0;
  virtual const stats::Registry& registry() const = 0;
  virtual const stats::Collector& collector() const = 0;
  // Takes a server out of service, or back in. `server`: its name in the configuration or its
  // address; `upstream`: "" for all. Returns those that were found, as UPSTREAM/SERVER.
  virtual std::vector<std::string> set_draining(std::string_view server, std::string_view upstream,
                                                bool draining) = 0;

 protected:
  ~AdminContext() = default;
};

}  // namespace berth::server
