#include "proxy/config/units.h"

#include <gtest/gtest.h>

#include "proxy/config/config.h"

namespace berth::config {
namespace {

// What a wrong value is answered with: "message (hint)".
template <class T>
std::string refusal(const Result<T, Complaint>& result) {
  if (result) return "accepted";
  return result.error().message + " (" + result.error().hint + ")";
}

TEST(ConfigUnits, Durations) {
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("75s"), 75s);
  EXPECT_EQ(*parse_duration("5m"), 5min);
  EXPECT_EQ(*parse_duration("1h"), 1h);
  EXPECT_EQ(*parse_duration("30d"), 720h);
  EXPECT_EQ(*parse_duration("1h30m"), 90min);
  EXPECT_EQ(*parse_duration("1m1s1ms"), 61001ms);
  EXPECT_EQ(*parse_duration("0s"), 0s);
  EXPECT_EQ(*parse_duration("3650d"), 87600h);
}

TEST(ConfigUnits, WrongDurationsSayWhatWouldBeRight) {
  const auto refused = [](std::string_view text) { return refusal(parse_duration(text)); };
  EXPECT_EQ(refused("75"), "'75' is not a duration (did you mean 75s?)");
  EXPECT_EQ(refused("5000"), "'5000' is not a duration (did you mean 5000ms?)");
  EXPECT_EQ(refused("60 min"), "'60 min' is not a duration (did you mean 60m?)");
  EXPECT_EQ(refused("5sec"), "'5sec' is not a duration (did you mean 5s?)");
  EXPECT_EQ(refused("5 S"), "'5 S' is not a duration (did you mean 5s?)");
  EXPECT_EQ(refused("1.5s"), "'1.5s' is not a duration (did you mean 1500ms?)");
  EXPECT_EQ(refused("0.5h"), "'0.5h' is not a duration (did you mean 30m?)");
  constexpr std::string_view kGeneral =
      " is not a duration (a number with a unit: ms, s, m, h or d, such as 75s)";
  for (const std::string_view text : {"", "s", "-5s", "+5s", "5x", "5ss", "forever", "1s1h", "1s1s",
                                      "0.0001ms", "1e9s", " 5s", "5s ", "99999999999999999999s"}) {
    EXPECT_EQ(refused(text), in_quotes(text) + std::string(kGeneral)) << text;
  }
  EXPECT_EQ(refused("3651d"), "'3651d' is too long a time (at most 3650d)");
  EXPECT_EQ(refused("18446744073709551615ms"),
            "'18446744073709551615ms' is too long a time (at most 3650d)");
}

TEST(ConfigUnits, Sizes) {
  EXPECT_EQ(*parse_size("512B"), 512U);
  EXPECT_EQ(*parse_size("64KiB"), 64 * kKiB);
  EXPECT_EQ(*parse_size("1MiB"), kMiB);
  EXPECT_EQ(*parse_size("2GiB"), 2 * kGiB);
  EXPECT_EQ(*parse_size("0B"), 0U);
  EXPECT_EQ(*parse_size("1048576GiB"), 1024 * 1024 * kGiB);
  EXPECT_FALSE(parse_size("1048577GiB"));
}

TEST(ConfigUnits, WrongSizesSayWhatWouldBeRight) {
  const auto refused = [](std::string_view text) { return refusal(parse_size(text)); };
  EXPECT_EQ(refused("65536"), "'65536' is not a size (did you mean 64KiB?)");
  EXPECT_EQ(refused("1000"), "'1000' is not a size (did you mean 1000B?)");
  EXPECT_EQ(refused("64k"), "'64k' is not a size (did you mean 64KiB?)");
  EXPECT_EQ(refused("64KB"), "'64KB' is not a size (did you mean 64KiB?)");
  EXPECT_EQ(refused("64kib"), "'64kib' is not a size (did you mean 64KiB?)");
  EXPECT_EQ(refused("10 mb"), "'10 mb' is not a size (did you mean 10MiB?)");
  EXPECT_EQ(refused("1g"), "'1g' is not a size (did you mean 1GiB?)");
  for (const std::string_view text : {"", "KiB", "-1KiB", "1.5MiB", "1KiB1B", "big", "1TiB"}) {
    EXPECT_EQ(refused(text),
              in_quotes(text) +
                  " is not a size (a whole number with a unit: B, KiB, MiB or GiB, such "
                  "as 64KiB)")
        << text;
  }
  EXPECT_EQ(refused("18446744073709551615GiB"), "'18446744073709551615GiB' is too large a size ()");
}

TEST(ConfigUnits, Rates) {
  EXPECT_EQ(*parse_rate("240B/s"), 240U);
  EXPECT_EQ(*parse_rate("1KiB/s"), kKiB);
  EXPECT_EQ(format_rate(240), "240B/s");
  EXPECT_EQ(format_rate(2 * kMiB), "2MiB/s");
}

TEST(ConfigUnits, WrongRatesSayWhatWouldBeRight) {
  const auto refused = [](std::string_view text) { return refusal(parse_rate(text)); };
  EXPECT_EQ(refused("1KiB"), "'1KiB' is not a rate (did you mean 1KiB/s?)");
  EXPECT_EQ(refused("240"), "'240' is not a rate (did you mean 240B/s?)");
  EXPECT_EQ(refused("1KB/s"), "'1KB/s' is not a rate (did you mean 1KiB/s?)");
  EXPECT_EQ(refused("1KiB/sec"), "'1KiB/sec' is not a rate (did you mean 1KiB/s?)");
  EXPECT_EQ(refused("64kps"), "'64kps' is not a rate (did you mean 64KiB/s?)");
  for (const std::string_view text : {"", "/s", "-1KiB/s", "1.5MiB/s", "fast"}) {
    EXPECT_EQ(refused(text), in_quotes(text) + " is not a rate (a size a second, such as 1KiB/s)")
        << text;
  }
}

TEST(ConfigUnits, Counts) {
  EXPECT_EQ(*parse_count("0"), 0U);
  EXPECT_EQ(*parse_count("128"), 128U);
  EXPECT_EQ(refusal(parse_count("1,000")), "'1,000' is not a whole number (did you mean 1000?)");
  EXPECT_EQ(refusal(parse_count("1_000")), "'1_000' is not a whole number (did you mean 1000?)");
  for (const std::string_view text :
       {"", "-1", "1.0", "0x10", "1k", "many", "99999999999999999999"}) {
    EXPECT_EQ(refusal(parse_count(text)),
              in_quotes(text) + " is not a whole number (only digits, such as 128)")
        << text;
  }
}

TEST(ConfigUnits, Booleans) {
  EXPECT_TRUE(*parse_bool("true"));
  EXPECT_FALSE(*parse_bool("false"));
  EXPECT_EQ(refusal(parse_bool("Yes")), "'Yes' is not true or false (did you mean true?)");
  EXPECT_EQ(refusal(parse_bool("off")), "'off' is not true or false (did you mean false?)");
  EXPECT_EQ(refusal(parse_bool("maybe")), "'maybe' is not true or false ()");
}

TEST(ConfigUnits, Modes) {
  EXPECT_EQ(*parse_mode("0660"), 0660U);
  EXPECT_EQ(*parse_mode("777"), 0777U);
  for (const std::string_view text : {"", "66", "0880", "1777", "00660", "rw-", "-660"}) {
    EXPECT_FALSE(parse_mode(text)) << text;
  }
}

TEST(ConfigUnits, PrintedValuesReadBackEqual) {
  for (const Duration value :
       {Duration(0ms), Duration(1ms), Duration(999ms), Duration(1s), Duration(60s), Duration(90s),
        Duration(1h), Duration(24h), Duration(48h), Duration(90min), Duration(3600001ms)}) {
    EXPECT_EQ(*parse_duration(format_duration(value)), value) << format_duration(value);
  }
  for (const uint64_t value :
       {uint64_t{0}, uint64_t{1}, kKiB, kKiB + 1, 64 * kKiB, kMiB, 3 * kGiB}) {
    EXPECT_EQ(*parse_size(format_size(value)), value) << format_size(value);
  }
  for (const uint32_t mode : {0U, 07U, 0660U, 0777U}) {
    EXPECT_EQ(*parse_mode(format_mode(mode)), mode) << format_mode(mode);
  }
}

TEST(ConfigUnits, PrintsAsPeopleWrite) {
  EXPECT_EQ(format_duration(60s), "60s");
  EXPECT_EQ(format_duration(120s), "2m");
  EXPECT_EQ(format_duration(75s), "75s");
  EXPECT_EQ(format_duration(1h), "1h");
  EXPECT_EQ(format_duration(24h), "24h");
  EXPECT_EQ(format_duration(72h), "3d");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_size(64 * kKiB), "64KiB");
  EXPECT_EQ(format_size(1500), "1500B");
  EXPECT_EQ(format_mode(0600), "0600");
}

}  // namespace
}  // namespace berth::config
