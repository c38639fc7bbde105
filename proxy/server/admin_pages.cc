#include "proxy/server/admin_pages.h"

#include <array>

namespace berth::server {
namespace {

struct Entry {
  std::string_view path;
  std::string_view about;
  AdminPage (*render)(const AdminContext& context);
};

AdminPage metrics(const AdminContext& context) {
  return {200, stats::Collector::kContentType, context.collector().text()};
}

AdminPage healthz(const AdminContext&) {
  return {200, "text/plain; charset=utf-8", "ok\n"};
}

AdminPage readyz(const AdminContext& context) {
  const char* type = "text/plain; charset=utf-8";
  switch (context.readiness()) {
    case Readiness::Starting:
      return {503, type, "starting\n"};
    case Readiness::Ready:
      return {200, type, "ready\n"};
    case Readiness::Draining:
      return {503, type, "draining\n"};
  }
  return {503, type, ""};
}

AdminPage status(const AdminContext& context) {
  return {200, "application/json", admin_status(context)};
}

AdminPage config(const AdminContext& context) {
  return {200, "text/plain; charset=utf-8", context.effective_config()};
}

AdminPage index(const AdminContext& context);

constexpr std::array<Entry, 6> kPages = {{
    {"/metrics", "Prometheus metrics", metrics},
    {"/status", "State of listeners, pools and queues, as JSON", status},
    {"/config", "The configuration in effect, defaults filled in", config},
    {"/healthz", "200 while the process lives", healthz},
    {"/readyz", "200 while every worker accepts; 503 while starting or draining", readyz},
    {"/", "This page", index},
}};

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
        break;
    }
  }
  return out;
}

constexpr std::string_view kIndexHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Berth</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
  h1 { margin: 0; letter-spacing: -.02em; }
  .version { opacity: .7; margin: 0 0 2rem; }
  dt { font-family: ui-monospace, monospace; margin-top: .75rem; }
  dd { margin: 0; opacity: .8; }
</style>
<h1>Berth</h1>
)";

AdminPage index(const AdminContext& context) {
  std::string body(kIndexHead);
  body += "<p class=\"version\">" + escape_html(context.version()) + "</p>\n<dl>\n";
  for (const Entry& entry : kPages) {
    if (entry.path == "/") continue;
    const std::string path(entry.path);
    body += "<dt><a href=\"" + path + "\">" + path + "</a></dt><dd>" + escape_html(entry.about) +
            "</dd>\n";
  }
  body +=
      "<dt>POST /drain?server=ADDRESS</dt><dd>No new requests to this server; berth drain does "
      "it</dd>"
      "\n<dt>POST /resume?server=ADDRESS</dt><dd>Back in service</dd>"
      "\n<dt>POST /reload</dt><dd>Reads the configuration again; berth reload does it</dd>\n";
  return {200, "text/html; charset=utf-8", body + "</dl>\n</html>\n"};
}

AdminPage not_found() {
  std::string body = "There is no such page. These are the pages:\n";
  for (const Entry& entry : kPages) body.append("  ").append(entry.path).append("\n");
  return {404, "text/plain; charset=utf-8", body};
}

}  // namespace

bool is_private_page(std::string_view path) {
  return path == "/config" || path == "/status" || path == "/metrics";
}

bool is_slow_page(std::string_view path) {
  return path == "/metrics";
}

AdminPage admin_page(std::string_view path, const AdminContext& context) {
  for (const Entry& entry : kPages) {
    if (entry.path == path) return entry.render(context);
  }
  return not_found();
}

}  // namespace berth::server
