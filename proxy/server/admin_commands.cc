#include "proxy/server/admin_commands.h"

namespace berth::server {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

AdminPage text(int status, std::string body) {
  return {status, std::string(kText), std::move(body)};
}

// Answers with what the log says, line by line.
AdminPage reload(AdminContext& context) {
  const ReloadOutcome outcome = context.reload_now();
  std::string body;
  if (!outcome.ok) {
    for (const std::string& error : outcome.errors) body += error + "\n";
    return text(409, body + "rejected: the previous configuration stays in effect\n");
  }
  body = to_string(outcome.report) + "\n";
  for (const std::string& news : certificate_news(outcome.report)) body += news + "\n";
  for (const std::string& problem : outcome.report.problems) body += problem + "\n";
  for (const std::string& note : restart_notes(outcome.report)) body += note + "\n";
  return text(200, body);
}

}  // namespace

bool is_admin_command(std::string_view path) {
  return path == "/drain" || path == "/resume" || path == "/reload";
}

AdminPage admin_command(std::string_view path, const AdminQuery& query, AdminContext& context) {
  if (path == "/reload") {
    return query.empty() ? reload(context) : text(400, "A reload has no parameters.\n");
  }
  const bool drain = path == "/drain";
  for (const auto& [name, value] : query) {
    if (name == "server" || name == "upstream") continue;
    return text(400, "There is no parameter '" + name + "': server and upstream are known.\n");
  }
  const auto server = query.find("server");
  if (server == query.end() || server->second.empty()) {
    return text(400,
                "Which server? Such as POST " + std::string(path) +
                    "?server=127.0.0.1:3000, or with &upstream=NAME for that upstream only.\n");
  }
  const auto upstream = query.find("upstream");
  const bool everywhere = upstream == query.end();
  const std::vector<std::string> found =
      context.set_draining(server->second, everywhere ? "" : upstream->second, drain);
  if (found.empty()) {
    return text(404, "There is no server " + server->second +
                         (everywhere ? "" : " in upstream " + upstream->second) +
                         "; /status names them all.\n");
  }
  std::string body;
  for (const std::string& name : found) body += name + (drain ? " drains\n" : " is back\n");
  return text(200, body);
}

}  // namespace berth::server
