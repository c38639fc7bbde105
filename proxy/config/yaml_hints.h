// Says in plain words what is wrong with a file that is not YAML.
#pragma once

#include <string_view>

#include "proxy/config/diagnostics.h"

namespace berth::config {

// `problem` is the parser's own message about the place `mark` in `text`.
Complaint explain_syntax_error(std::string_view text, Mark mark, std::string_view problem);

}  // namespace berth::config
