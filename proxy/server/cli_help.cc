#include "proxy/server/cli_help.h"

namespace berth::server {
namespace {

constexpr std::string_view kGeneral =
    R"(Berth: a reverse proxy for Node.js app servers that never uses a connection a moment too late.

Usage:
  berth run --from ADDRESS --to ADDRESS     serve, no file needed
  berth run -c FILE                         serve what the file says
  berth check -c FILE [--print]             find every mistake in a file
  berth healthcheck [--admin ADDRESS]       ask a running berth whether it is well
  berth drain SERVER                        no new requests to an app server (berth resume: back)
  berth version
  berth help [COMMAND]

Try:
  berth run --from :8080 --to 127.0.0.1:3000
  curl http://127.0.0.1:8080/ ; curl http://127.0.0.1:9145/metrics

Addresses: 127.0.0.1:3000, [::1]:3000, app.internal:3000, unix:/run/app.sock; to listen also :8080,
which is every address of this machine.
Signals: HUP reloads the file, TERM and INT stop gracefully, USR1 reopens the logs.
)";

constexpr std::string_view kRun =
    R"(Serve until TERM or INT.

Usage:
  berth run --from ADDRESS... --to ADDRESS... [options]
  berth run -c FILE

  -c, --config FILE    the configuration (YAML). Everything is then in the file.

Without a file:
  --from ADDRESS       listen here; may be given several times
  --to ADDRESS         an app server; may be given several times
  --certificate FILE   TLS for the clients: the certificate with its chain (PEM)
  --key FILE           and its private key
  --admin ADDRESS      metrics and health pages (default 127.0.0.1:9145), or off
  --workers N          threads (default auto: one per core)
  --access-log FORMAT  json (default), combined or off
  --log-file PATH      the access log (default -: standard output)

Example:
  berth run --from :8080 --to 127.0.0.1:3000 --to 127.0.0.1:3001
)";

constexpr std::string_view kCheck =
    R"(Find every mistake in a configuration file, and what will race. Serves nothing.

Usage:
  berth check -c FILE [--print]

  -c, --config FILE    the configuration (YAML); 'berth check FILE' is the same
  --print              print the effective configuration: every key, defaults filled in

Exit status: 0 if the file is right (there may be warnings), 2 if not.
)";

constexpr std::string_view kHealthcheck =
    R"(Ask a running berth whether it is well: GET /healthz on its admin listener.

Usage:
  berth healthcheck [--admin ADDRESS]

  --admin ADDRESS      the admin listener (default 127.0.0.1:9145)

Exit status: 0 if it answers 200, 1 if not.
)";

constexpr std::string_view kDrain =
    R"(Take an app server out of service in a running berth, or back in.

Usage:
  berth drain SERVER [--upstream NAME] [--admin ADDRESS]
  berth resume SERVER [--upstream NAME] [--admin ADDRESS]

  SERVER               as in the configuration, or its address: 127.0.0.1:3000
  --upstream NAME      in this upstream only (default: wherever the server is)
  --admin ADDRESS      the admin listener (default 127.0.0.1:9145)

A server that drains gets no new requests but those of its sticky sessions. Its idle connections
close, requests in hand are finished, upgraded connections (WebSocket) live on. /status and
berth_upstream_connections tell when it has nothing left. That lasts, reloads included, until berth
resume, a restart of berth, or until the server leaves the configuration.

Exit status: 0 if it is done, 1 if there is no such server or no berth.
)";

constexpr std::string_view kVersion =
    R"(Print the version.

Usage:
  berth version
)";

}  // namespace

std::string_view help_text(std::string_view command) {
  if (command == "run") return kRun;
  if (command == "check") return kCheck;
  if (command == "healthcheck") return kHealthcheck;
  if (command == "drain" || command == "resume") return kDrain;
  if (command == "version") return kVersion;
  return kGeneral;
}

}  // namespace berth::server
