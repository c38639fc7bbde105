// One line of the access log: JSON, the combined format of httpd and nginx, or a template's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/config/log_template.h"
#include "proxy/exchange/access_record.h"

namespace berth::server {

// The text of a wall-clock second (UTC), kept until the second changes.
class AccessTime {
 public:
  static constexpr size_t kIsoSize = 19;  // 2026-08-01T12:34:56
  static constexpr size_t kClfSize = 26;  // 01/Aug/2026:12:34:56 +0000

  std::string_view iso(int64_t unix_seconds) {
    if (unix_seconds != second_) render(unix_seconds);
    return {iso_, kIsoSize};
  }
  std::string_view clf(int64_t unix_seconds) {
    if (unix_seconds != second_) render(unix_seconds);
    return {clf_, kClfSize};
  }

 private:
  void render(int64_t unix_seconds);

  int64_t second_ = -1;
  char iso_[kIsoSize];
  char clf_[kClfSize];
};

// No line is longer than this: texts beyond a limit of their own (the target: 4 KiB) are cut and
// end in "...".
inline constexpr size_t kMaxAccessLine = 64 * 1024;

// The bytes that any function below may write for this record; at most kMaxAccessLine.
size_t access_line_bound(const exchange::AccessRecord& record);

// Each writes one line, "\n" included, and returns its length.
//
// JSON: valid UTF-8 whatever the peers sent; invalid bytes become U+FFFD. Times are in seconds.
// What does not apply (no upstream, no referer, no failure) is left out.
size_t write_json_line(char* out, const exchange::AccessRecord& record, AccessTime& time);
// Combined: quotes, backslashes, control bytes and bytes beyond ASCII are written as \xHH.
size_t write_combined_line(char* out, const exchange::AccessRecord& record, AccessTime& time);
// Template: texts are escaped as in combined; - stands for what does not apply.
size_t write_template_line(char* out, const exchange::AccessRecord& record, AccessTime& time,
                           const std::vector<config::LogPiece>& pieces);

}  // namespace berth::server
