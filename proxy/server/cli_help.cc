#include "proxy/server/cli_help.h"

#include <algorithm>

#include "proxy/server/cli_table.h"

namespace berth::server {
namespace {

constexpr size_t kWidth = 100;
constexpr size_t kOptionColumn = 25;
constexpr size_t kCommandColumn = 14;

std::string padded(std::string text, size_t column) {
  text.resize(std::max(text.size() + 1, column), ' ');
  return text;
}

// "-c, --config FILE", or "SERVER" for a positional argument.
std::string label(const OptionSpec& option) {
  if (!option.flags.starts_with('-')) return std::string(option.value);
  std::string out;
  for (std::string_view rest = option.flags; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (!name.starts_with('-')) continue;
    out += (out.empty() ? "" : ", ") + std::string(name);
  }
  if (!option.value.empty()) out += ' ' + std::string(option.value);
  return out;
}

std::string general_help() {
  std::string out = wrapped(kAbout, 0);
  out += "\nUsage:\n";
  for (const CommandSpec& command : commands()) {
    const std::string name = "  berth " + std::string(command.name);
    out += padded(name, kCommandColumn + 8) + std::string(command.summary) + '\n';
  }
  out +=
      "\n'berth help COMMAND' explains a command, 'berth help config KEY' a key of the "
      "configuration."
      "\n\nTry:\n"
      "  berth run --from :8080 --to 127.0.0.1:3000\n"
      "  curl http://127.0.0.1:8080/ ; curl http://127.0.0.1:9145/metrics\n\n";
  out += wrapped(kAddresses, 0);
  out += "\nSignals:\n";
  for (const SignalSpec& signal : signals()) {
    out += padded("  " + std::string(signal.name), kCommandColumn) +
           wrapped(signal.effect, kCommandColumn);
  }
  return out;
}

}  // namespace

std::string wrapped(std::string_view text, size_t column) {
  std::string out;
  size_t used = column;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (used != column && used + 1 + word.size() > kWidth) {
      out += '\n' + std::string(column, ' ');
      used = column;
    } else if (used != column) {
      out += ' ';
      ++used;
    }
    out += word;
    used += word.size();
  }
  return out + '\n';
}

std::string help_text(std::string_view command) {
  const CommandSpec* spec = find_command(command);
  if (spec == nullptr) return general_help();
  std::string out = std::string(spec->summary) + ".\n\nUsage:\n";
  for (const std::string_view line : spec->usage) out += "  berth " + std::string(line) + '\n';
  if (!spec->options.empty()) out += '\n';
  for (const OptionSpec& option : spec->options) {
    if (!option.group.empty()) out += '\n' + std::string(option.group) + '\n';
    out += padded("  " + label(option), kOptionColumn) + wrapped(option.help, kOptionColumn);
  }
  if (!spec->notes.empty()) out += '\n' + std::string(spec->notes);
  return out;
}

}  // namespace berth::server
