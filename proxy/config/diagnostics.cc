#include "proxy/config/diagnostics.h"

#include <algorithm>
#include <cstdio>
#include <tuple>
#include <utility>

namespace berth::config {
namespace {

constexpr size_t kMaxQuoted = 60;
constexpr size_t kMaxMessage = 500;

// `text` without control bytes, and not longer than `most` bytes.
std::string one_line(std::string_view text, size_t most) {
  size_t end = std::min(text.size(), most);
  const auto continues = [&](size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  while (end > 0 && end < text.size() && continues(end)) --end;  // not within a character
  std::string out;
  for (const char c : text.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      char escaped[5];
      std::snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  if (text.size() > end) out += "...";
  return out;
}

bool same_place_and_text(const Diagnostic& a, const Diagnostic& b) {
  return std::tie(a.line, a.column, a.level, a.message) ==
         std::tie(b.line, b.column, b.level, b.message);
}

}  // namespace

std::string to_string(const Diagnostic& diagnostic, std::string_view file) {
  std::string out;
  if (!file.empty()) {
    out += file;
    out += ':';
    if (diagnostic.line != 0) {
      out += std::to_string(diagnostic.line) + ':' + std::to_string(diagnostic.column) + ':';
    }
    out += ' ';
  }
  out += diagnostic.level == Level::Error ? "error: " : "warning: ";
  out += diagnostic.message;
  if (!diagnostic.hint.empty()) out += " (" + diagnostic.hint + ")";
  return out;
}

std::string in_quotes(std::string_view text) {
  return "'" + one_line(text, kMaxQuoted) + "'";
}

void Diagnostics::error(Mark mark, std::string message, std::string hint) {
  ++errors_;
  add({Level::Error, mark.line, mark.column, std::move(message), std::move(hint)});
}

void Diagnostics::error(Mark mark, Complaint complaint) {
  error(mark, std::move(complaint.message), std::move(complaint.hint));
}

void Diagnostics::warning(Mark mark, std::string message, std::string hint) {
  add({Level::Warning, mark.line, mark.column, std::move(message), std::move(hint)});
}

bool Diagnostics::error_at(Mark mark) const {
  return mark.line != 0 && std::any_of(kept_.begin(), kept_.end(), [&](const Diagnostic& kept) {
           return kept.level == Level::Error && kept.line == mark.line &&
                  kept.column == mark.column;
         });
}

void Diagnostics::add(Diagnostic diagnostic) {
  // Keys and values of the file are part of many messages, by way of paths.
  diagnostic.message = one_line(diagnostic.message, kMaxMessage);
  diagnostic.hint = one_line(diagnostic.hint, kMaxMessage);
  const auto same = [&](const Diagnostic& kept) { return same_place_and_text(kept, diagnostic); };
  if (std::any_of(kept_.begin(), kept_.end(), same)) {
    if (diagnostic.level == Level::Error) --errors_;
    return;
  }
  if (full()) {
    ++dropped_;
    return;
  }
  kept_.push_back(std::move(diagnostic));
}

std::vector<Diagnostic> Diagnostics::take() {
  std::stable_sort(kept_.begin(), kept_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  if (dropped_ != 0) {
    const Level level = errors_ != 0 ? Level::Error : Level::Warning;
    kept_.push_back({level, 0, 0, std::to_string(dropped_) + " more like these are not shown", {}});
  }
  errors_ = dropped_ = 0;
  return std::exchange(kept_, {});
}

}  // namespace berth::config
