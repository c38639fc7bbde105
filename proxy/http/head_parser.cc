#include "proxy/http/head_parser.h"

#include "proxy/http/head_parser_impl.h"
#include "proxy/http/scan.h"

namespace berth::http {

ParseOutcome HeadParser::parse(std::string_view bytes, const HeadLimits& limits,
                               HeadProgress& progress, RequestHead& head) {
  const ParseOutcome outcome = HeadParserImpl<DefaultScan>::parse(bytes, limits, progress.scanned_,
                                                                  progress.line_start_, head);
  if (outcome.status != ParseStatus::Incomplete) progress.reset();
  return outcome;
}

ParseOutcome HeadParser::parse(std::string_view bytes, const HeadLimits& limits,
                               HeadProgress& progress, ResponseHead& head) {
  ParseOutcome outcome = HeadParserImpl<DefaultScan>::parse(bytes, limits, progress.scanned_,
                                                            progress.line_start_, head);
  if (outcome.status != ParseStatus::Incomplete) progress.reset();
  if (outcome.status == ParseStatus::Refused) {
    const bool too_large = outcome.refusal == CloseReason::HeadTooLarge ||
                           outcome.refusal == CloseReason::TooManyHeaders;
    outcome.refusal = too_large ? CloseReason::ResponseHeadTooLarge : CloseReason::BadResponse;
  }
  return outcome;
}

}  // namespace berth::http
