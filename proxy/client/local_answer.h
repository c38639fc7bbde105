// A response that Berth makes itself: its fields and its small text, the same for every protocol.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "proxy/client/connection.h"
#include "proxy/exchange/client_stream.h"
#include "proxy/exchange/request_head.h"

namespace berth::client {

// Holds the texts that its views refer to: neither copied nor moved.
class LocalAnswer {
 public:
  // `date`: as HttpDate writes it; lives as long.
  LocalAnswer(const exchange::LocalResponse& response, std::string_view date);
  LocalAnswer(const LocalAnswer&) = delete;
  LocalAnswer& operator=(const LocalAnswer&) = delete;

  // Calls `take(name, value)` for each field, texts that live as long as this and the rules:
  // Berth's own (`hsts` too, if it is not ""), but those that the route's rules replace or remove,
  // and what the rules set.
  template <class Take>
  void for_each_field(std::string_view hsts, Take&& take) const {
    const auto ours = [&](std::string_view name) {
      return rules_ == nullptr || !exchange::overridden(*rules_, name);
    };
    for (const Field& field : std::span(fields_.data(), count_)) {
      if (ours(field.name)) take(field.name, field.value);
    }
    if (!hsts.empty() && ours(kHstsField)) take(kHstsField, hsts);
    if (rules_ == nullptr) return;
    for (const auto& [name, value] : rules_->set) take(name, value);
  }
  std::string_view body() const { return {body_.data(), body_size_}; }

 private:
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  void add(std::string_view name, std::string_view value) { fields_[count_++] = {name, value}; }

  std::array<Field, 8> fields_;
  size_t count_ = 0;
  const config::HeaderRules* const rules_;
  size_t body_size_ = 0;
  std::array<char, 512> body_;
  std::array<char, 24> length_;
  std::array<char, 320> status_;
};

}  // namespace berth::client
