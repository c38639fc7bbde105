// The texts that are written from the table of commands: help, the man page, shell completion.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace berth::server {

// Breaks `text` into lines of at most 100 columns and ends the last one. The first line begins at
// `column`, where the caller has got to; the others are indented to it.
std::string wrapped(std::string_view text, size_t column);

// Explains `command` ("run", "check", ...), or Berth as a whole if there is no such command. Ends
// in a newline, like the texts below.
std::string help_text(std::string_view command);

// The man page berth(1), in roff.
std::string man_page(std::string_view version);

// The script that teaches `shell` (bash, zsh or fish) to complete Berth's command line; empty for
// any other shell.
std::string completion_script(std::string_view shell);

}  // namespace berth::server
