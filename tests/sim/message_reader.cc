#include "tests/sim/message_reader.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>

namespace berth::sim {

namespace {

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Eight bytes of the pattern: printable, so that it contains no line ends and reads well in a
// trace.
uint64_t pattern_word(uint64_t key, uint64_t word) {
  uint64_t mixed = (key * 0x9e3779b97f4a7c15) ^ (word * 0xbf58476d1ce4e5b9);
  mixed ^= mixed >> 31;
  mixed *= 0x94d049bb133111eb;
  return (mixed & 0x0f0f0f0f0f0f0f0f) + 0x6161616161616161;
}

// Calls visit(character) for each position until it returns false; returns how many it was called
// for, less the last.
template <class F>
size_t for_each_char(uint64_t key, uint64_t from, size_t size, F&& visit) {
  uint64_t word = pattern_word(key, from >> 3);
  for (size_t i = 0; i < size; ++i) {
    const uint64_t at = from + i;
    if (i > 0 && (at & 7) == 0) word = pattern_word(key, at >> 3);
    if (!visit(i, static_cast<char>(word >> (8 * (at & 7))))) return i;
  }
  return size;
}

}  // namespace

void append_pattern(std::string& out, uint64_t key, uint64_t from, uint64_t size) {
  const size_t start = out.size();
  out.resize(start + size);
  for_each_char(key, from, size, [&](size_t i, char c) {
    out[start + i] = c;
    return true;
  });
}

size_t pattern_mismatch(std::string_view bytes, uint64_t key, uint64_t from) {
  return for_each_char(key, from, bytes.size(), [&](size_t i, char c) { return bytes[i] == c; });
}

const std::string* Message::find(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (same(field, name)) return &value;
  }
  return nullptr;
}

size_t Message::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(
      fields.begin(), fields.end(), [&](const auto& field) { return same(field.first, name); }));
}

std::string Message::value(std::string_view name) const {
  const std::string* found = find(name);
  return found == nullptr ? std::string() : *found;
}

uint64_t Message::number(std::string_view name, uint64_t otherwise) const {
  const std::string* found = find(name);
  return found == nullptr ? otherwise : std::strtoull(found->c_str(), nullptr, 10);
}

bool Message::lists(std::string_view name, std::string_view token) const {
  for (const auto& [field, value] : fields) {
    if (!same(field, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (same(trimmed(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

std::string_view Message::word(size_t index) const {
  std::string_view rest = start_line;
  for (; index > 0; --index) rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  return rest.substr(0, rest.find(' '));
}

int Message::status() const {
  return std::atoi(std::string(word(1)).c_str());
}

size_t MessageReader::feed(std::string_view bytes) {
  const size_t offered = bytes.size();
  std::string line;
  while (state_ == State::Head && take_line(bytes, line)) {
    if (line.empty()) {
      end_head();
    } else if (message_.start_line.empty()) {
      message_.start_line = line;
    } else {
      const size_t colon = line.find(':');
      if (colon == std::string::npos || colon == 0) {
        broken("no field: '" + line + "'");
      } else {
        message_.fields.emplace_back(line.substr(0, colon),
                                     trimmed(std::string_view(line).substr(colon + 1)));
      }
    }
  }
  if (state_ == State::Body) take_body(bytes);
  return offered - bytes.size();
}

bool MessageReader::take_line(std::string_view& bytes, std::string& line) {
  const size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    line_buffer_.append(bytes);
    bytes = {};
    return false;
  }
  line = line_buffer_;
  line.append(bytes.substr(0, end));
  line_buffer_.clear();
  bytes.remove_prefix(end + 1);
  if (line.empty() || line.back() != '\r') {
    broken("a line that does not end in CRLF: '" + line + "'");
    return false;
  }
  line.pop_back();
  return true;
}

void MessageReader::end_head() {
  const bool coded = message_.find("Transfer-Encoding") != nullptr;
  const bool counted = message_.find("Content-Length") != nullptr;
  state_ = State::Body;
  if (coded && counted) {
    broken("both Content-Length and Transfer-Encoding");
    return;
  }
  if (message_.count("Content-Length") > 1) broken("Content-Length twice");
  const int status = response_ ? message_.status() : 0;
  if (response_ && (to_head_ || status < 200 || status == 204 || status == 304)) {
    framing_ = Framing::None;
  } else if (coded) {
    if (message_.value("Transfer-Encoding") != "chunked") broken("a transfer coding of its own");
    framing_ = Framing::Chunked;
  } else if (counted) {
    framing_ = Framing::Length;
    left_ = message_.number("Content-Length", 0);
  } else {
    framing_ = response_ ? Framing::UntilClose : Framing::None;
  }
  if (state_ == State::Body &&
      (framing_ == Framing::None || (framing_ == Framing::Length && left_ == 0))) {
    state_ = State::Done;
  }
}

void MessageReader::take_body(std::string_view& bytes) {
  switch (framing_) {
    case Framing::None:
      return;
    case Framing::Length: {
      const size_t taken = std::min<size_t>(left_, bytes.size());
      message_.body.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      left_ -= taken;
      if (left_ == 0) state_ = State::Done;
      return;
    }
    case Framing::Chunked:
      take_chunked(bytes);
      return;
    case Framing::UntilClose:
      message_.body.append(bytes);
      bytes = {};
      return;
  }
}

void MessageReader::take_chunked(std::string_view& bytes) {
  std::string line;
  while (state_ == State::Body && !bytes.empty()) {
    switch (chunk_) {
      case Chunk::Size: {
        if (!take_line(bytes, line)) return;
        char* end = nullptr;
        left_ = std::strtoull(line.c_str(), &end, 16);
        if (line.empty() || *end != '\0') {
          broken("a bad chunk size: '" + line + "'");
          return;
        }
        chunk_ = left_ == 0 ? Chunk::Trailer : Chunk::Data;
        break;
      }
      case Chunk::Data: {
        const size_t taken = std::min<size_t>(left_, bytes.size());
        message_.body.append(bytes.substr(0, taken));
        bytes.remove_prefix(taken);
        left_ -= taken;
        if (left_ == 0) chunk_ = Chunk::DataEnd;
        break;
      }
      case Chunk::DataEnd:
        if (!take_line(bytes, line)) return;
        if (!line.empty()) broken("bytes behind a chunk: '" + line + "'");
        chunk_ = Chunk::Size;
        break;
      case Chunk::Trailer:
        if (!take_line(bytes, line)) return;
        if (line.empty()) {
          state_ = State::Done;
        } else {
          message_.trailers += line + "\n";
        }
        break;
    }
  }
}

void MessageReader::finish() {
  if (state_ == State::Body && framing_ == Framing::UntilClose) state_ = State::Done;
}

void MessageReader::broken(std::string problem) {
  state_ = State::Broken;
  if (problem_.empty()) problem_ = std::move(problem);
}

}  // namespace berth::sim
