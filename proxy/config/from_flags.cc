#include "proxy/config/from_flags.h"

#include <utility>

#include "proxy/config/schema.h"
#include "proxy/config/text_rules.h"
#include "proxy/config/units.h"
#include "proxy/config/validate.h"

namespace berth::config {
namespace {

// Reads flags into a configuration; what is wrong is reported under the flag's name.
class FlagReader {
 public:
  explicit FlagReader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  std::string text(std::string_view flag, const std::string& value, TextKind kind) {
    auto checked = check_text(value, kind);
    if (checked) return std::move(*checked);
    error(flag, checked.error());
    return value;
  }

  void workers(const std::string& value, uint32_t& out) {
    if (value == kAuto.word) {
      out = static_cast<uint32_t>(kAuto.value);
      return;
    }
    const auto number = parse_count(value);
    if (!number) {
      error("--workers", {in_quotes(value) + " is not a whole number", "or auto: one per core"});
    } else if (*number < bounds::kWorkers.min || *number > bounds::kWorkers.max) {
      error("--workers",
            {in_quotes(value) + " is out of range, " + std::to_string(bounds::kWorkers.min) +
                 " to " + std::to_string(bounds::kWorkers.max),
             "or auto: one per core"});
    } else {
      out = static_cast<uint32_t>(*number);
    }
  }

  void access_log(const std::string& value, AccessLog& out) {
    if (value == "off") {
      out.enabled = false;
      return;
    }
    for (const auto& choice : kLogFormats) {
      if (choice.name != value) continue;
      out.format = choice.value;
      return;
    }
    error("--access-log", {"unknown value " + in_quotes(value), "one of off, json and combined"});
  }

 private:
  void error(std::string_view flag, Complaint complaint) {
    complaint.message = std::string(flag) + ": " + complaint.message;
    diagnostics_.error({}, std::move(complaint));
  }

  Diagnostics& diagnostics_;
};

}  // namespace

LoadResult load_flags(const Flags& flags) {
  Diagnostics diagnostics;
  FlagReader reader(diagnostics);
  Config config;
  for (const std::string& address : flags.from) {
    config.listeners.emplace_back().address =
        reader.text("--from", address, TextKind::ListenAddress);
  }
  if (flags.certificate.has_value() != flags.key.has_value()) {
    diagnostics.error({}, flags.key ? "--key without --certificate" : "--certificate without --key",
                      "TLS needs both: --certificate site.crt --key site.key");
  }
  if (flags.certificate && flags.key) {
    const Certificate pair{reader.text("--certificate", *flags.certificate, TextKind::File),
                           reader.text("--key", *flags.key, TextKind::File)};
    for (Listener& listener : config.listeners) {
      listener.tls.enabled = true;
      listener.tls.certificates = {pair};
    }
  }
  Upstream& upstream = config.upstreams.emplace_back();
  upstream.name = kFlagsUpstream;
  for (const std::string& address : flags.to) {
    upstream.servers.push_back({reader.text("--to", address, TextKind::ServerAddress)});
  }
  if (flags.from.empty()) {
    diagnostics.error({}, "--from is missing: where to listen", "such as --from :8080");
  }
  if (flags.to.empty()) {
    diagnostics.error({}, "--to is missing: the app server", "such as --to 127.0.0.1:3000");
  }
  if (flags.admin) {
    config.admin.address = reader.text("--admin", *flags.admin, TextKind::AdminAddress);
  }
  if (flags.workers) reader.workers(*flags.workers, config.workers);
  if (flags.access_log) reader.access_log(*flags.access_log, config.access_log);
  if (flags.log_file) {
    config.access_log.path = reader.text("--log-file", *flags.log_file, TextKind::LogPath);
  }
  if (!flags.from.empty() && !flags.to.empty()) {
    complete(config, {});
    validate(config, {}, diagnostics);
  }
  LoadResult result;
  result.errors = diagnostics.errors();
  if (result.errors == 0) result.config = std::move(config);
  result.diagnostics = diagnostics.take();
  return result;
}

}  // namespace berth::config
