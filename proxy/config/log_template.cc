#include "proxy/config/log_template.h"

#include <algorithm>

#include "proxy/config/suggest.h"

namespace berth::config {
namespace {

Failure<Complaint> refuse(std::string message, std::string hint) {
  return Failure{Complaint{std::move(message), std::move(hint)}};
}

Failure<Complaint> unknown(std::string_view name) {
  const std::string_view near = nearest(name, kLogFieldNames);
  std::string hint;
  if (!near.empty()) {
    hint = "did you mean {" + std::string(near) + "}?";
  } else {
    for (const std::string_view field : kLogFieldNames) {
      hint += (hint.empty() ? "one of " : ", ") + std::string(field);
    }
  }
  return refuse("there is no field {" + std::string(name) + "}", std::move(hint));
}

}  // namespace

Result<std::vector<LogPiece>, Complaint> parse_log_template(std::string_view text) {
  if (text.size() > kMaxLogTemplate) {
    return refuse("a template is at most " + std::to_string(kMaxLogTemplate) + " bytes long", "");
  }
  std::vector<LogPiece> pieces(1);
  const std::string_view whole = text;
  while (!text.empty()) {
    const char c = text.front();
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') {
      return refuse("a template has no control bytes", "each line ends by itself");
    }
    if (c != '{' && c != '}') {
      pieces.back().text += c;
      text.remove_prefix(1);
      continue;
    }
    if (text.starts_with("{{") || text.starts_with("}}")) {
      pieces.back().text += c;
      text.remove_prefix(2);
      continue;
    }
    const size_t end = text.find('}');
    if (c == '}' || end == text.npos) {
      return refuse("a brace without its partner in " + in_quotes(whole),
                    "fields are written {name}; {{ and }} stand for braces");
    }
    const std::string_view name = text.substr(1, end - 1);
    const auto found = std::find(kLogFieldNames.begin(), kLogFieldNames.end(), name);
    if (found == kLogFieldNames.end()) return unknown(name);
    const auto field = static_cast<LogField>(found - kLogFieldNames.begin());
    if (std::any_of(pieces.begin(), pieces.end(), [&](const LogPiece& piece) {
          return piece.has_field && piece.field == field;
        })) {
      return refuse("the field {" + std::string(name) + "} stands twice in the template",
                    "each field can be named once");
    }
    pieces.back().field = field;
    pieces.back().has_field = true;
    pieces.emplace_back();
    text.remove_prefix(end + 1);
  }
  return pieces;
}

}  // namespace berth::config
