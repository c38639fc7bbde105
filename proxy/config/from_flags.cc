#include "proxy/config/from_flags.h"

#include <optional>
#include <string>
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

  // One --from. A port alone is one of every address of this machine.
  std::string listener(const std::string& value) {
    return text("--from", parse_count(value) ? ":" + value : value, TextKind::ListenAddress);
  }

  // One --to: a server, or one for each port of a range.
  void servers(const std::string& value, Upstream& out) {
    std::string_view address = value;
    const bool https = take_prefix(address, "https://");
    const bool http = !https && take_prefix(address, "http://");
    if (http || https) take_suffix(address, "/");
    note_scheme(https ? Scheme::Https : Scheme::Http);
    const auto ports = port_range(address);
    if ((http || https) && address.find('/') != std::string_view::npos) {
      error("--to", {in_quotes(value) + " has a path",
                     "leave it out: Berth forwards the path that the client asked for"});
      out.servers.push_back({value});  // one complaint is enough
    } else if (!ports) {
      server(with_port(address, https, http), out);
    } else if (ports->first > ports->last || ports->last - ports->first >= kMostInRange) {
      error("--to", {in_quotes(value) + " is not a range of ports",
                     "such as 127.0.0.1:3000-3003, of at most " + std::to_string(kMostInRange)});
      out.servers.push_back({value});
    } else {
      for (uint64_t port = ports->first; port <= ports->last; ++port) {
        server(std::string(ports->host) + ":" + std::to_string(port), out);
      }
    }
  }

  // Turns TLS on if all of --to ask for it.
  void finish_servers(Upstream& out) {
    if (saw_http_ && saw_https_) {
      error("--to", {"https:// for some servers and not for others",
                     "the servers of one upstream all speak TLS or none does"});
    }
    out.tls.enabled = saw_https_;
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
      if (choice.name != value || choice.value == LogFormat::Template) continue;
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

  enum class Scheme : uint8_t { Http, Https };
  struct PortRange {
    std::string_view host;
    uint64_t first;
    uint64_t last;
  };
  static constexpr uint64_t kMostInRange = 1000;

  static bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
  }
  static void take_suffix(std::string_view& text, std::string_view suffix) {
    if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  }

  void note_scheme(Scheme scheme) { (scheme == Scheme::Https ? saw_https_ : saw_http_) = true; }

  // The parts of "127.0.0.1:3000-3003", ":3000-3003" or "3000-3003"; nothing if this is not a
  // range.
  static std::optional<PortRange> port_range(std::string_view address) {
    if (address.starts_with("unix:")) return std::nullopt;
    const size_t colon = address.rfind(':');
    const bool has_host = colon != std::string_view::npos;
    const std::string_view ports = has_host ? address.substr(colon + 1) : address;
    const size_t dash = ports.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const auto first = parse_count(ports.substr(0, dash));
    const auto last = parse_count(ports.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    return PortRange{has_host ? address.substr(0, colon) : address.substr(0, 0), *first, *last};
  }

  // A URL may leave out the port of its scheme.
  static std::string with_port(std::string_view address, bool https, bool http) {
    std::string out(address);
    const bool has_port = address.substr(address.rfind(']') + 1).find(':') != std::string::npos;
    if (!address.empty() && !has_port && (https || http)) out += https ? ":443" : ":80";
    return out;
  }

  void server(const std::string& address, Upstream& out) {
    // A port alone is one of this machine.
    std::string full = parse_count(address) ? ":" + address : address;
    if (full.starts_with(':')) full.insert(0, "127.0.0.1");
    out.servers.push_back({text("--to", full, TextKind::ServerAddress)});
  }

  Diagnostics& diagnostics_;
  bool saw_http_ = false;
  bool saw_https_ = false;
};

}  // namespace

LoadResult load_flags(const Flags& flags) {
  Diagnostics diagnostics;
  FlagReader reader(diagnostics);
  Config config;
  for (const std::string& address : flags.from) {
    config.listeners.emplace_back().address = reader.listener(address);
  }
  if (flags.from.empty()) config.listeners.emplace_back().address = std::string(kFlagsListener);
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
  for (const std::string& address : flags.to) reader.servers(address, upstream);
  reader.finish_servers(upstream);
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
  if (!flags.to.empty()) {
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
