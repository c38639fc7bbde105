// The scanners against the tables and so against each other: every byte at every offset, and no
// byte read outside (the memory is exactly as long as the text).
#include "proxy/http/scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>

namespace berth::http {
namespace {

template <class Scan>
class Scanner : public testing::Test {};

#ifdef __SSE2__
using Scanners = testing::Types<PortableScan, Sse2Scan>;
#else
using Scanners = testing::Types<PortableScan>;
#endif
TYPED_TEST_SUITE(Scanner, Scanners);

using ScanFunction = const char* (*)(const char*, const char*);

size_t stop_of(ScanFunction scan, std::string_view text) {
  const auto exact = std::make_unique_for_overwrite<char[]>(text.size());
  std::copy(text.begin(), text.end(), exact.get());
  return static_cast<size_t>(scan(exact.get(), exact.get() + text.size()) - exact.get());
}

size_t expected_stop(std::string_view text, CharClass which) {
  size_t at = 0;
  while (at < text.size() && is_class(text[at], which)) ++at;
  return at;
}

void expect_like_table(ScanFunction scan, CharClass which) {
  for (size_t size = 0; size <= 50; ++size) {
    EXPECT_EQ(stop_of(scan, std::string(size, 'a')), size);
  }
  for (int c = 0; c < 256; ++c) {
    for (const size_t size : {1u, 8u, 15u, 16u, 17u, 31u, 32u, 40u}) {
      for (size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(c);
        ASSERT_EQ(stop_of(scan, text), expected_stop(text, which)) << c << " at " << at;
      }
    }
  }
  // Bytes that are allowed, of all kinds, then one of any kind.
  std::string allowed;
  for (int c = 0; c < 256; ++c) {
    if (is_class(static_cast<char>(c), which)) allowed += static_cast<char>(c);
  }
  std::minstd_rand random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 80, 'a');
    for (char& byte : text) byte = allowed[random() % allowed.size()];
    if (!text.empty()) text[random() % text.size()] = static_cast<char>(random() % 256);
    ASSERT_EQ(stop_of(scan, text), expected_stop(text, which));
  }
}

TYPED_TEST(Scanner, ValueEnd) {
  expect_like_table(TypeParam::value_end, kValueChar);
}
TYPED_TEST(Scanner, TargetEnd) {
  expect_like_table(TypeParam::target_end, kTargetChar);
}
TYPED_TEST(Scanner, NameEnd) {
  expect_like_table(TypeParam::name_end, kTokenChar);
}
TYPED_TEST(Scanner, HostEnd) {
  expect_like_table(TypeParam::host_end, kHostChar);
}

}  // namespace
}  // namespace berth::http
