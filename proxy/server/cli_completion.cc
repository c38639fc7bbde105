// Shell completion, from the table of commands.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/server/cli_help.h"
#include "proxy/server/cli_table.h"
#include "proxy/server/config_reference.h"

namespace berth::server {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
}

// The option's flags without its positional name; none for a positional argument.
std::vector<std::string> flags_of(const OptionSpec& option) {
  std::vector<std::string> flags = split(option.flags, ',');
  std::erase_if(flags, [](const std::string& flag) { return !flag.starts_with('-'); });
  return flags;
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : std::string(separator)) + part;
  return out;
}

std::vector<std::string> names_of(const CommandSpec& command) {
  std::vector<std::string> names = {std::string(command.name)};
  if (!command.alias.empty()) names.emplace_back(command.alias);
  return names;
}

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const CommandSpec& command : commands()) {
    for (std::string& name : names_of(command)) names.push_back(std::move(name));
  }
  return names;
}

bool is_help(const CommandSpec& command) {
  return command.name == "help";
}

// What may follow "help config": the last part of every key's path, and the last two.
std::string key_words() {
  std::vector<std::string> words;
  for (const KeyReference& key : config_reference()) {
    const std::vector<std::string> path = split(key.path, '.');
    words.push_back(path.back());
    if (path.size() > 1 && path[path.size() - 2] != "NAME" &&
        !path[path.size() - 2].ends_with(']')) {
      words.push_back(path[path.size() - 2] + "." + path.back());
    }
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return joined(words, " ");
}

// What may stand where the command takes an argument without a flag: words, or the names of files.
std::string argument_words(const CommandSpec& command) {
  if (is_help(command)) return joined(all_names(), " ") + " config";
  for (const OptionSpec& option : command.options) {
    if (!option.flags.starts_with('-')) return std::string(option.words);
  }
  return {};
}
bool takes_file(const CommandSpec& command) {
  return std::any_of(command.options.begin(), command.options.end(),
                     [](const OptionSpec& option) { return option.flags.ends_with(",file"); });
}

std::string bash() {
  std::string out =
      "# bash completion for berth. Written by `berth completion bash`.\n"
      "_berth() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W '" +
      joined(all_names(), " ") +
      " --help --version' -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const CommandSpec& command : commands()) {
    out += "    " + joined(names_of(command), " | ") + ")\n      case $before in\n";
    std::string flags = "--help --version";
    for (const OptionSpec& option : command.options) {
      const std::vector<std::string> names = flags_of(option);
      if (names.empty()) continue;
      flags += " " + names.back();
      if (option.value.empty()) continue;
      const bool file = option.value == kFileValue;
      out += "        " + joined(names, " | ") + ") ";
      out += file ? "COMPREPLY=($(compgen -f -- \"$word\"))"
                  : "COMPREPLY=($(compgen -W '" + std::string(option.words) + "' -- \"$word\"))";
      out += "; return ;;\n";
    }
    if (is_help(command)) {
      out += "        config) COMPREPLY=($(compgen -W '" + key_words() +
             "' -- \"$word\")); return ;;\n";
    }
    const std::string words = argument_words(command);
    const std::string rest = words.empty() ? flags : flags + " " + words;
    out += "      esac\n      COMPREPLY=($(compgen" +
           std::string(takes_file(command) ? " -f" : "") + " -W '" + rest +
           "' -- \"$word\"))\n      ;;\n";
  }
  return out + "  esac\n}\ncomplete -o filenames -F _berth berth\n";
}

// A text within single quotes, where `escape` must have a backslash before it.
std::string quoted(std::string_view text, std::string_view escape) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (escape.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_argument(const OptionSpec& option) {
  if (option.value.empty()) return {};
  const std::string name = ":" + quoted(option.value, ":");
  if (option.value == kFileValue) return name + ":_files";
  return option.words.empty() ? name + ": " : name + ":(" + std::string(option.words) + ")";
}

std::string zsh() {
  std::string out =
      "#compdef berth\n"
      "# zsh completion for berth. Written by `berth completion zsh`.\n"
      "_berth() {\n"
      "  local -a commands=(\n";
  for (const CommandSpec& command : commands()) {
    for (const std::string& name : names_of(command)) {
      out += "    '" + name + ":" + quoted(command.summary, "") + "'\n";
    }
  }
  out +=
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words; (( CURRENT-- ))\n"
      "  case $command in\n";
  for (const CommandSpec& command : commands()) {
    out += "    " + joined(names_of(command), "|") + ")\n      _arguments -s";
    for (const OptionSpec& option : command.options) {
      for (const std::string& flag : flags_of(option)) {
        out += " \\\n        '*" + flag + "[" + quoted(option.help, "[]") + "]" +
               zsh_argument(option) + "'";
      }
    }
    if (is_help(command)) {
      out += " \\\n        '1:topic:(" + argument_words(command) + ")'";
      out += " \\\n        '2:key:(" + key_words() + ")'";
    } else if (takes_file(command)) {
      out += " \\\n        '1:file:_files'";
    } else if (!argument_words(command).empty()) {
      out += " \\\n        '1:value:(" + argument_words(command) + ")'";
    }
    out += " \\\n        '--help[explain the command]' '--version[print the version]'\n      ;;\n";
  }
  return out +
         "  esac\n}\n"
         "if [ \"$funcstack[1]\" = _berth ]; then _berth \"$@\"; else compdef _berth berth; fi\n";
}

std::string fish() {
  std::string out =
      "# fish completion for berth. Written by `berth completion fish`.\n"
      "complete -c berth -f\n"
      "complete -c berth -s h -l help -d 'Explain the command'\n"
      "complete -c berth -s V -l version -d 'Print the version'\n";
  for (const CommandSpec& command : commands()) {
    for (const std::string& name : names_of(command)) {
      out += "complete -c berth -n __fish_use_subcommand -a " + name + " -d '" +
             quoted(command.summary, "") + "'\n";
    }
    const std::string inside =
        "complete -c berth -n '__fish_seen_subcommand_from " + joined(names_of(command), " ") + "'";
    for (const OptionSpec& option : command.options) {
      std::string flags;
      for (const std::string& flag : flags_of(option)) {
        flags += flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      }
      if (flags.empty()) continue;
      out += inside + flags;
      if (option.value == kFileValue) out += " -rF";
      if (option.value != kFileValue && !option.value.empty()) out += " -x";
      if (!option.words.empty()) out += " -a '" + std::string(option.words) + "'";
      out += " -d '" + quoted(option.help, "") + "'\n";
    }
    const std::string words = argument_words(command);
    if (!words.empty()) out += inside + " -a '" + words + "'\n";
    if (is_help(command)) {
      out += "complete -c berth -n '__fish_seen_subcommand_from config' -a '" + key_words() + "'\n";
    }
    if (takes_file(command)) out += inside + " -F\n";
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  return {};
}

}  // namespace berth::server
