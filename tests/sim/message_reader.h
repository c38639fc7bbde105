// HTTP/1 as the simulated clients and servers read it: written independently of the proxy's parser,
// and strict.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::sim {

// A body is a pattern made from a key, so that every byte tells where it belongs.
void append_pattern(std::string& out, uint64_t key, uint64_t from, uint64_t size);
// The first byte that is not the pattern's, counted from the start of `bytes`; bytes.size() if all
// are.
size_t pattern_mismatch(std::string_view bytes, uint64_t key, uint64_t from);

struct Message {
  std::string start_line;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::string trailers;

  // nullptr if absent. Names are compared without case.
  const std::string* find(std::string_view name) const;
  size_t count(std::string_view name) const;
  std::string value(std::string_view name) const;
  uint64_t number(std::string_view name, uint64_t otherwise) const;
  bool lists(std::string_view name, std::string_view token) const;  // in a comma-separated field
  int status() const;                                               // of a response
  std::string_view word(size_t index) const;                        // of the start line
};

class MessageReader {
 public:
  enum class State : uint8_t { Head, Body, Done, Broken };

  // Reads as much of `bytes` as belongs to the message; returns how many.
  size_t feed(std::string_view bytes);
  State state() const { return state_; }
  bool started() const {
    return state_ != State::Head || !line_buffer_.empty() || !message_.start_line.empty();
  }
  bool head_complete() const { return state_ == State::Body || state_ == State::Done; }
  bool until_close() const { return framing_ == Framing::UntilClose; }
  // Were the connection closed now, it would show that the message is not whole.
  bool break_shows() const {
    return state_ == State::Body && (framing_ == Framing::Length || framing_ == Framing::Chunked);
  }
  // The peer has closed: the body of a response without other framing is complete.
  void finish();
  Message& message() { return message_; }
  const std::string& problem() const { return problem_; }

  // A response is read against the request that it answers.
  void expect_response(bool to_head) {
    response_ = true;
    to_head_ = to_head;
  }
  // Between the head and the body, if the caller knows better (an interim response, a tunnel).
  void end_here() { state_ = State::Done; }

 private:
  enum class Framing : uint8_t { None, Length, Chunked, UntilClose };
  enum class Chunk : uint8_t { Size, Data, DataEnd, Trailer };

  bool take_line(std::string_view& bytes, std::string& line);
  void end_head();
  void take_body(std::string_view& bytes);
  void take_chunked(std::string_view& bytes);
  void broken(std::string problem);

  State state_ = State::Head;
  Framing framing_ = Framing::None;
  Chunk chunk_ = Chunk::Size;
  bool response_ = false;
  bool to_head_ = false;
  uint64_t left_ = 0;
  std::string line_buffer_;
  std::string problem_;
  Message message_;
};

}  // namespace berth::sim
