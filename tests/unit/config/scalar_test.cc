#include <catch2/catch_test_macros.hpp>

#include "config/scalar.h"

namespace albatross::config::test {

using namespace std::chrono_literals;

TEST_CASE("durations have a unit and are exact to the millisecond") {
  CHECK(parse_duration("250ms").value == 250ms);
  CHECK(parse_duration("15s").value == 15s);
  CHECK(parse_duration("1.5s").value == 1500ms);
  CHECK(parse_duration("0.5h").value == 30min);
  CHECK(parse_duration("0.0005m").value == 30ms);
  CHECK(parse_duration("0s").value == 0s);
  CHECK(parse_duration("1h").value == 1h);
  for (const char* text : {"", "0", "5", "s", "-1s", "+1s", "1 s", "1S", "1.s", ".5s", "1d", "1m30s", "1.0005s", "1e3s",
                           "9999999999h", "0.0000000001h", "1.5.5s"}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text).value);
    CHECK_FALSE(parse_duration(text).error.empty());
  }
  CHECK(to_text(1500ms) == "1500ms");
  CHECK(to_text(4000s) == "4000s");
  CHECK(to_text(300s) == "5m");
}

TEST_CASE("sizes have a binary unit") {
  CHECK(parse_size("512B").value == 512U);
  CHECK(parse_size("64KiB").value == 65536U);
  CHECK(parse_size("0B").value == 0U);
  CHECK(parse_size("3GiB").value == 3ULL << 30U);
  CHECK(parse_size("64kb").hint == "did you mean 64KiB?");
  CHECK(parse_size("1 MiB").hint == "did you mean 1MiB?");
  for (const char* text : {"", "0", "64", "KiB", "1.5MiB", "-1B", "1TiB", "99999999999B"}) {
    INFO(text);
    CHECK_FALSE(parse_size(text).value);
  }
}

TEST_CASE("numbers are decimal digits") {
  CHECK(parse_number("010").value == 10U);
  CHECK(parse_number("18446744073709551615").value == UINT64_MAX);
  CHECK(parse_number("18446744073709551616").error == "the number is too large");
  for (const char* text : {"", "-1", "+1", "1.0", "1e3", "0x1", " 1", "1 "}) CHECK_FALSE(parse_number(text).value);
}

TEST_CASE("status codes are classes, codes and ranges") {
  using Range = std::pair<std::uint16_t, std::uint16_t>;
  CHECK(parse_codes("2xx").value == Range{200, 299});
  CHECK(parse_codes("204").value == Range{204, 204});
  CHECK(parse_codes("200-399").value == Range{200, 399});
  for (const char* text : {"", "xx", "6xx", "0xx", "99", "200-", "-200", "300-200", "2000", "200-600"}) {
    INFO(text);
    CHECK_FALSE(parse_codes(text).value);
  }
}

TEST_CASE("names have an alphabet of their own") {
  CHECK(is_name("a"));
  CHECK(is_name("0a.b_c-d"));
  CHECK(is_name(std::string(63, 'a')));
  CHECK_FALSE(is_name(std::string(64, 'a')));
  for (const char* text : {"", "-a", ".a", "a b", "a/b", "\xc3\xa4"}) CHECK_FALSE(is_name(text));
}

TEST_CASE("networks take both families with or without a length") {
  CHECK(parse_network("0.0.0.0/0").value == "0.0.0.0/0");
  CHECK(parse_network("255.255.255.255/1").value == "128.0.0.0/1");
  CHECK(parse_network("::ffff:1.2.3.4").value == "::ffff:1.2.3.4/128");
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/+8", "::/129",
                           "a::z", "1.2.3.4.5"}) {
    INFO(text);
    CHECK_FALSE(parse_network(text).value);
  }
}

}  // namespace albatross::config::test
