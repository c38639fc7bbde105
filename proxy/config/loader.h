// YAML to Config, with every mistake found in one pass.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/config/diagnostics.h"
#include "proxy/config/validate.h"

namespace berth::config {

struct LoadResult {
  std::optional<Config> config;         // none: there is at least one error in `diagnostics`
  std::vector<Diagnostic> diagnostics;  // errors and warnings, in the order of the file
  size_t errors = 0;                    // all of them; of many, only the first are in `diagnostics`
  Places places;                        // where each setting stands in the file

  bool ok() const { return config.has_value(); }
};

// Never throws, whatever the input. `text` may be at most 1 MiB. Relative names of files are in
// `folder` ("": the current one).
LoadResult load_text(std::string_view text, const std::string& folder = {});

// The same for a file. A file that cannot be read is an error without a line.
LoadResult load_file(const std::string& path);

}  // namespace berth::config
