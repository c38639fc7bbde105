#include "proxy/config/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace berth::config {
namespace {

TEST(ConfigUtf8, WholeTexts) {
  for (const std::string text :
       {"", "plain\n\t\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9z"}) {
    EXPECT_EQ(utf8_prefix(text), text.size()) << testing::PrintToString(text);
  }
}

TEST(ConfigUtf8, WhatIsNone) {
  for (const std::string bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xdfz", "\xe0\x9f\xbf",
        "\xe0\xa0", "\xe1\x80z", "\xed\xa0\x80", "\xef\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
        "\xf1\x80\x80z", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_EQ(utf8_prefix("ab" + bad + "cd"), 2U) << testing::PrintToString(bad);
    EXPECT_EQ(utf8_prefix("ab" + bad), 2U) << testing::PrintToString(bad);
  }
  EXPECT_EQ(utf8_prefix(std::string("a\0b", 3)), 1U);
}

}  // namespace
}  // namespace berth::config
