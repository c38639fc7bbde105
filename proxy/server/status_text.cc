#include "proxy/server/status_text.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

#include "proxy/config/units.h"
#include "proxy/server/admin_client.h"

namespace berth::server {
namespace {

using Json = nlohmann::json;

// Rows of equal length, of which the first is the heading.
class Table {
 public:
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // The first column to the left, the others, which are numbers and short words, to the right.
  std::string text() const {
    std::vector<size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string room(widths[i] - row[i].size(), ' ');
        if (i > 0) out += "  ";
        out += i == 0 ? row[i] + room : room + row[i];
      }
      out.erase(out.find_last_not_of(' ') + 1);
      out += '\n';
    }
    return out;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string number(const Json& value) {
  return std::to_string(value.get<int64_t>());
}

std::string head(const Json& status) {
  const auto uptime = std::chrono::seconds(status.at("uptime_seconds").get<int64_t>());
  std::string out = "berth " + status.at("version").get<std::string>() + ": " +
                    status.at("state").get<std::string>() + ", up " +
                    config::format_duration(uptime) + ", " + number(status.at("workers")) +
                    " workers, configuration " + number(status.at("generation"));
  const Json& reload = status.at("last_reload");
  if (!reload.is_null()) {
    out += "; last reload at " + reload.at("time").get<std::string>() + ": " +
           reload.at("result").get<std::string>();
    for (const Json& error : reload.at("errors")) out += "\n  " + error.get<std::string>();
  }
  return out + "\n";
}

std::string listeners(const Json& status) {
  Table table;
  table.row({"LISTENER", "OPEN", "BUSY", "IDLE", "UPGRADED", "REQUESTS", "REFUSED"});
  for (const Json& one : status.at("listeners")) {
    const Json& now = one.at("connections");
    int64_t open = 0;
    for (const auto& [state, count] : now.items()) open += count.get<int64_t>();
    const int64_t busy = now.at("reading").get<int64_t>() + now.at("active").get<int64_t>() +
                         now.at("writing").get<int64_t>();
    table.row({one.at("name").get<std::string>(), std::to_string(open), std::to_string(busy),
               number(now.at("idle")), number(now.at("upgraded")), number(one.at("requests")),
               number(one.at("requests_refused"))});
  }
  return table.text();
}

std::string servers(const Json& status) {
  Table table;
  table.row({"SERVER", "STATE", "BUSY", "IDLE", "DRAINING", "LIMIT", "UPGRADED", "REQUESTS",
             "FAILED CONNECTS"});
  for (const Json& upstream : status.at("upstreams")) {
    const std::string name = upstream.at("name").get<std::string>();
    for (const Json& one : upstream.at("servers")) {
      const Json& now = one.at("connections");
      const int64_t busy = now.at("connecting").get<int64_t>() + now.at("active").get<int64_t>();
      table.row({name + "/" + one.at("address").get<std::string>(),
                 one.at("state").get<std::string>(), std::to_string(busy), number(now.at("idle")),
                 number(now.at("draining")), number(one.at("limit")), number(now.at("upgraded")),
                 number(one.at("requests")), number(one.at("connect_failures"))});
    }
  }
  return table.text();
}

std::string queues(const Json& status) {
  Table table;
  table.row({"UPSTREAM", "SERVERS", "WAITING", "LIMIT", "REJECTED"});
  for (const Json& upstream : status.at("upstreams")) {
    const Json& queue = upstream.at("queue");
    table.row({upstream.at("name").get<std::string>(),
               std::to_string(upstream.at("servers").size()), number(queue.at("length")),
               number(queue.at("limit")), number(queue.at("rejected"))});
  }
  return table.text();
}

}  // namespace

std::string status_text(std::string_view status) {
  try {
    const Json all = Json::parse(status);
    return head(all) + "\n" + listeners(all) + "\n" + queues(all) + "\n" + servers(all);
  } catch (const Json::exception&) {
    return {};
  }
}

int run_status(const StatusCommand& command) {
  const auto body = ask_or_complain(command.admin, "GET", "/status");
  if (!body) return 1;
  const std::string text = command.json ? *body : status_text(*body);
  if (text.empty()) {
    std::cerr << "berth: " << command.admin << ": the answer is not Berth's\n";
    return 1;
  }
  std::cout << text << (text.ends_with('\n') ? "" : "\n");
  return 0;
}

}  // namespace berth::server
