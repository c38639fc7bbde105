// The man page, from the table of commands.
#include <string>
#include <string_view>

#include "proxy/server/cli_help.h"
#include "proxy/server/cli_table.h"

namespace berth::server {
namespace {

// Text as roff takes it: nothing in it is a request or an escape, and a '-' stays one.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool starts_line = out.empty() || out.back() == '\n';
    if (starts_line && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

// "\fB-c\fR, \fB--config\fR \fIFILE\fR".
std::string label(const OptionSpec& option) {
  std::string out;
  for (std::string_view rest = option.flags; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    if (!name.starts_with('-')) continue;
    if (!out.empty()) out += ", ";
    out += "\\fB" + escaped(name) + "\\fR";
  }
  if (option.value.empty()) return out;
  if (!out.empty()) out += ' ';
  return out + "\\fI" + escaped(option.value) + "\\fR";
}

// Paragraphs; lines that are indented are shown as they are.
std::string paragraphs(std::string_view text) {
  std::string out;
  bool literal = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const bool indented = line.starts_with("  ");
    if (indented != literal) out += indented ? ".PP\n.nf\n.RS 4\n" : ".RE\n.fi\n";
    literal = indented;
    out += line.empty() ? ".PP\n" : escaped(indented ? line.substr(2) : line) + '\n';
  }
  if (literal) out += ".RE\n.fi\n";
  return out;
}

std::string section(const CommandSpec& command) {
  std::string out = ".SS berth " + std::string(command.name) + '\n';
  out += escaped(command.summary) + ".\n.PP\n.nf\n";
  for (const std::string_view line : command.usage) {
    out += "\\fBberth\\fR " + escaped(line) + '\n';
  }
  out += ".fi\n";
  for (const OptionSpec& option : command.options) {
    out += ".TP\n" + label(option) + '\n' + escaped(option.help) + ".\n";
  }
  if (!command.notes.empty()) out += ".PP\n" + paragraphs(command.notes);
  return out;
}

}  // namespace

std::string man_page(std::string_view version) {
  std::string out = ".TH BERTH 1 \"\" \"Berth " + escaped(version) + "\" \"User Commands\"\n";
  out += ".SH NAME\nberth \\- reverse proxy for Node.js app servers\n";
  out += ".SH SYNOPSIS\n.B berth\n\\fICOMMAND\\fR [\\fIOPTION\\fR...]\n";
  out += ".SH DESCRIPTION\n" + escaped(kAbout) + "\n.PP\n" + escaped(kAddresses) + '\n';
  out += ".SH COMMANDS\n";
  for (const CommandSpec& command : commands()) out += section(command);
  out += ".SH SIGNALS\n";
  for (const SignalSpec& signal : signals()) {
    out += ".TP\n\\fB" + escaped(signal.name) + "\\fR\n" + escaped(signal.effect) + ".\n";
  }
  out +=
      ".SH FILES\n.TP\n\\fI/etc/berth/berth.yaml\\fR\n"
      "The configuration that the systemd service reads.\n"
      ".SH SEE ALSO\n\\fBberth help config\\fR explains every key of the configuration.\n";
  return out;
}

}  // namespace berth::server
