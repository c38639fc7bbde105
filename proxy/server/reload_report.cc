#include "proxy/server/reload_report.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "proxy/config/diff.h"
#include "proxy/stats/labels.h"

namespace berth::server {

namespace {

// Named in a line; the rest is counted.
constexpr size_t kMostNames = 8;

ReloadReport::Part compare_items(const Inventory::Items& running, const Inventory::Items& next) {
  ReloadReport::Part part;
  std::map<std::string_view, const Inventory::Item*> before;
  for (const Inventory::Item& item : running) before.emplace(item.key, &item);
  for (const Inventory::Item& item : next) {
    ReloadReport::Entry& entry = part.emplace_back();
    entry.name = item.name;
    entry.note = item.note;
    const auto found = before.find(item.key);
    if (found == before.end()) {
      entry.fate = Fate::Added;
      continue;
    }
    entry.keys = config::changed_keys(found->second->settings, item.settings);
    if (item.shared != nullptr) {
      const auto more = config::changed_keys(*found->second->shared, *item.shared);
      entry.keys.insert(entry.keys.end(), more.begin(), more.end());
    }
    if (found->second->made_of != item.made_of) {
      entry.fate = Fate::Replaced;
    } else if (!entry.keys.empty()) {
      entry.fate = Fate::Changed;
    }
    before.erase(found);
  }
  for (const Inventory::Item& item : running) {
    if (before.contains(item.key)) part.push_back({item.name, Fate::Retired, {}, {}});
  }
  return part;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  return out + (names.size() > kMostNames ? ", ..." : "");
}

// `with_keys`: those that have changed say in what.
std::string describe(std::string_view what, const ReloadReport::Part& part, bool with_keys) {
  std::string out;
  for (size_t i = 0; i < stats::kPoolActions; ++i) {
    const Fate fate = static_cast<Fate>(i);
    std::vector<std::string> names;
    for (const ReloadReport::Entry& entry : part) {
      if (entry.fate != fate) continue;
      const bool keys = with_keys && fate == Fate::Changed;
      names.push_back(entry.name + (keys ? ": " + listed(entry.keys) : ""));
    }
    if (names.empty()) continue;
    out += (out.empty() ? "" : ", ") + std::to_string(names.size()) + " " +
           std::string(stats::kPoolActionLabels[fate]);
    if (fate != Fate::Kept) out += " (" + listed(names) + ")";
  }
  return std::string(what) + ": " + (out.empty() ? "none" : out);
}

}  // namespace

size_t count(const ReloadReport::Part& part, Fate fate) {
  return static_cast<size_t>(std::count_if(
      part.begin(), part.end(), [fate](const auto& entry) { return entry.fate == fate; }));
}

ReloadReport compare(const Inventory& running, const Inventory& next) {
  ReloadReport report;
  report.servers = compare_items(running.servers, next.servers);
  report.listeners = compare_items(running.listeners, next.listeners);
  report.upstreams = compare_items(running.upstreams, next.upstreams);
  report.certificates = compare_items(running.certificates, next.certificates);
  report.routes_changed = running.routes != next.routes;
  report.settings = config::changed_keys(running.process, next.process);
  std::copy_if(report.settings.begin(), report.settings.end(),
               std::back_inserter(report.needs_restart), config::needs_restart);
  return report;
}

std::string to_string(const ReloadReport& report) {
  std::string out = describe("servers", report.servers, false) + "; " +
                    describe("listeners", report.listeners, true) + "; " +
                    describe("upstreams", report.upstreams, true);
  if (!report.certificates.empty()) {
    out += "; " + describe("certificates", report.certificates, false);
  }
  out += report.routes_changed ? "; routes changed" : "; routes unchanged";
  if (!report.settings.empty()) out += "; changed: " + listed(report.settings);
  for (const std::string& key : report.needs_restart) out += "; " + key + " needs a restart";
  return out;
}

std::vector<std::string> restart_notes(const ReloadReport& report) {
  std::vector<std::string> notes;
  for (const std::string& key : report.needs_restart) {
    notes.push_back(key + " has changed: that takes effect with the next start only");
  }
  return notes;
}

std::vector<std::string> certificate_news(const ReloadReport& report) {
  std::vector<std::string> lines;
  for (const ReloadReport::Entry& entry : report.certificates) {
    if (entry.fate != Fate::Added && entry.fate != Fate::Changed) continue;
    lines.push_back("certificate " + entry.name +
                    (entry.fate == Fate::Added ? " is new" : " has changed") +
                    (entry.note.empty() ? "" : ", " + entry.note));
  }
  return lines;
}

}  // namespace berth::server
