#include "proxy/http/head_parser.h"

#include "proxy/http/head_parser_impl.h"
#include "proxy/http/scan.h"

namespace berth::http {

namespace {

CloseReason as_response(CloseReason refusal) {
  if (refusal == CloseReason::HeadTooLarge) return CloseReason::ResponseHeadTooLarge;
  if (refusal == CloseReason::TooManyHeaders) return CloseReason::ResponseTooManyFields;
  return CloseReason::BadResponse;
}

}  // namespace

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
    outcome.refusal = as_response(outcome.refusal);
  }
  return outcome;
}

}  // namespace berth::http
