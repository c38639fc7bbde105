// Request heads: pieces and scanners make no difference, and what is accepted survives being
// written and parsed again.
#include "tests/fuzz/http_fuzz.h"

namespace berth::http {
namespace {

// Written line by line and as runs of lines it must be the same, and mean the same.
void check_rewrite(std::string_view bytes, const RequestHead& head, const HeadLimits& limits) {
  static RequestHead again;
  std::string lines(bytes.size() * 2 + 64, '\0');
  std::string runs(lines.size(), '\0');
  HeadWriter line_writer(lines.data(), lines.size());
  HeadWriter run_writer(runs.data(), runs.size());
  const char* version = head.summary.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  for (HeadWriter* writer : {&line_writer, &run_writer}) {
    writer->append(head.method_text);
    writer->append(" ");
    writer->append(head.target);
    writer->append(version);
  }
  for (const HeaderField& f : head.fields) line_writer.field(f.name, f.value);
  run_writer.fields(head.fields, [](const HeaderField&) { return true; });
  line_writer.finish();
  run_writer.finish();
  require(!line_writer.overflowed(), "room", bytes);
  require(line_writer.text() == run_writer.text(), "runs and lines", bytes);

  HeadProgress progress;
  const HeadLimits wide{.max_head = lines.size(), .max_target = limits.max_target};
  const ParseOutcome outcome = HeadParser::parse(run_writer.text(), wide, progress, again);
  require(outcome.status == ParseStatus::Complete, "written head is accepted", bytes);
  require(again.fields.size() == head.fields.size(), "same fields", bytes);
  for (size_t i = 0; i < head.fields.size(); ++i) {
    const HeaderField& a = head.fields.begin()[i];
    const HeaderField& b = again.fields.begin()[i];
    require(a.name == b.name && a.value == b.value && a.hop_by_hop == b.hop_by_hop, "same field",
            bytes);
  }
  require(again.host == head.host && again.path == head.path, "same target", bytes);
  require(again.summary.content_length == head.summary.content_length &&
              again.summary.chunked == head.summary.chunked &&
              again.summary.upgrade == head.summary.upgrade &&
              again.summary.persistent() == head.summary.persistent(),
          "same summary", bytes);
}

}  // namespace
}  // namespace berth::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace berth::http;  // NOLINT(google-build-using-namespace): a function that C calls
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const HeadLimits limits = (data[1] & 0x80) == 0
                                ? HeadLimits{}
                                : HeadLimits{.max_head = size_t{data[1]} * 2, .max_target = 32};
  check_head<RequestHead>(bytes, limits, data[0]);

  static RequestHead head;
  HeadProgress progress;
  if (HeadParser::parse(bytes, limits, progress, head).status == ParseStatus::Complete) {
    require(!(head.summary.chunked && head.summary.has_length()), "one framing", bytes);
    require(head.summary.minor_version == 0 || !head.host.empty(), "a host", bytes);
    require(head.path.front() == '/' || head.path == "*", "a path", bytes);
    check_rewrite(bytes, head, limits);
  }
  return 0;
}
