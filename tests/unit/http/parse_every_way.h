// Parses a head in one piece, byte by byte, in random pieces and with each scanner, every time from
// memory of its own that ends where the bytes do, and fails the test if the outcomes differ.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http/head_parser.h"
#include "proxy/http/head_parser_impl.h"
#include "proxy/http/scan.h"
#include "tests/unit/http/head_dump.h"

namespace berth::http {

// Heads are large, and views into the bytes: both live here.
template <class Head>
struct Parsed {
  ParseOutcome outcome;
  std::unique_ptr<char[]> bytes;
  std::unique_ptr<Head> head = std::make_unique<Head>();

  std::string text() const {
    if (outcome.status == ParseStatus::Incomplete) return "incomplete";
    if (outcome.status == ParseStatus::Refused) {
      return "refused: " + std::string(info(outcome.refusal).label);
    }
    return std::to_string(outcome.head_size) + " " + dump(*head);
  }
};

template <class Head>
void parse_into(Parsed<Head>& parsed, std::string_view bytes, const HeadLimits& limits,
                HeadProgress& progress) {
  parsed.bytes = std::make_unique_for_overwrite<char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), parsed.bytes.get());
  parsed.outcome =
      HeadParser::parse({parsed.bytes.get(), bytes.size()}, limits, progress, *parsed.head);
}

template <class Head>
Parsed<Head> parse_at_once(std::string_view bytes, const HeadLimits& limits = {}) {
  Parsed<Head> parsed;
  HeadProgress progress;
  parse_into(parsed, bytes, limits, progress);
  return parsed;
}

// `ends` are the lengths of the prefixes that are handed over one after the other.
template <class Head>
Parsed<Head> parse_in_pieces(std::string_view bytes, const std::vector<size_t>& ends,
                             const HeadLimits& limits = {}) {
  Parsed<Head> parsed;
  HeadProgress progress;
  for (const size_t end : ends) {
    parse_into(parsed, bytes.substr(0, end), limits, progress);
    if (parsed.outcome.status != ParseStatus::Incomplete) break;
  }
  return parsed;
}

// A whole head may be refused for the line that is still incomplete; pieces wait for its end.
template <class Head>
void expect_same_in_pieces(std::string_view bytes, std::vector<size_t> ends,
                           const HeadLimits& limits, const Parsed<Head>& whole) {
  Parsed<Head> pieces = parse_in_pieces<Head>(bytes, ends, limits);
  if (whole.outcome.status == ParseStatus::Refused &&
      pieces.outcome.status == ParseStatus::Incomplete) {
    const std::string longer = std::string(bytes) + "\r\n";
    ends.push_back(longer.size());
    pieces = parse_in_pieces<Head>(longer, ends, limits);
  }
  EXPECT_EQ(pieces.text(), whole.text()) << "in " << ends.size() << " pieces";
}

// No prefix is judged otherwise than the whole: it is incomplete, or refused for the same reason.
template <class Head>
void expect_prefixes_agree(std::string_view bytes, const HeadLimits& limits,
                           const Parsed<Head>& whole) {
  const bool complete = whole.outcome.status == ParseStatus::Complete;
  const size_t sizes = complete ? whole.outcome.head_size : bytes.size();
  Parsed<Head> prefix;
  for (size_t size = 0; size < sizes; ++size) {
    HeadProgress progress;
    parse_into(prefix, bytes.substr(0, size), limits, progress);
    if (prefix.outcome.status != ParseStatus::Incomplete) {
      EXPECT_EQ(prefix.text(), whole.text()) << "after " << size << " bytes";
    }
  }
}

template <class Scan, class Head>
void expect_same_with_scanner(std::string_view bytes, const HeadLimits& limits,
                              const Parsed<Head>& whole) {
  auto head = std::make_unique<Head>();
  uint32_t scanned = 0;
  uint32_t line_start = 0;
  const ParseOutcome outcome =
      HeadParserImpl<Scan>::parse(bytes, limits, scanned, line_start, *head);
  EXPECT_EQ(outcome.status, whole.outcome.status);
  EXPECT_EQ(outcome.head_size, whole.outcome.head_size);
  if (outcome.status == ParseStatus::Complete) {
    EXPECT_EQ(dump(*head), dump(*whole.head));
  }
}

template <class Head>
Parsed<Head> parse_every_way(std::string_view bytes, const HeadLimits& limits = {}) {
  SCOPED_TRACE(printable(bytes.substr(0, 200)));
  Parsed<Head> whole = parse_at_once<Head>(bytes, limits);

  std::vector<size_t> each_byte(bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) each_byte[i] = i + 1;
  // Long heads would take quadratic time to copy.
  if (bytes.size() <= 4096) {
    expect_same_in_pieces(bytes, each_byte, limits, whole);
    expect_prefixes_agree(bytes, limits, whole);
  }

  std::minstd_rand random(static_cast<unsigned>(bytes.size()));
  for (int round = 0; round < 8; ++round) {
    std::vector<size_t> ends;
    size_t end = 0;
    while (end < bytes.size()) {
      end = std::min(bytes.size(), end + 1 + random() % (bytes.size() / (1 + random() % 8) + 1));
      ends.push_back(end);
    }
    expect_same_in_pieces(bytes, ends, limits, whole);
  }
  expect_same_with_scanner<PortableScan>(bytes, limits, whole);
  return whole;
}

}  // namespace berth::http
