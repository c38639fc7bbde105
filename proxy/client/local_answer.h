// A response that Berth makes itself: its fields and its small text, the same for every protocol.
#pragma once

#include <array>
#include <string_view>

#include "proxy/exchange/client_stream.h"

namespace berth::client {

// Holds the texts that its views refer to: neither copied nor moved.
class LocalAnswer {
 public:
  // `date`: as HttpDate writes it; lives as long.
  LocalAnswer(const exchange::LocalResponse& response, std::string_view date);
  LocalAnswer(const LocalAnswer&) = delete;
  LocalAnswer& operator=(const LocalAnswer&) = delete;

  struct Field {
    std::string_view name;
    std::string_view value;
  };
  const Field* begin() const { return fields_.data(); }
  const Field* end() const { return fields_.data() + count_; }
  std::string_view body() const { return {body_.data(), body_size_}; }

 private:
  void add(std::string_view name, std::string_view value) { fields_[count_++] = {name, value}; }

  std::array<Field, 8> fields_;
  size_t count_ = 0;
  size_t body_size_ = 0;
  std::array<char, 512> body_;
  std::array<char, 24> length_;
  std::array<char, 320> status_;
};

}  // namespace berth::client
