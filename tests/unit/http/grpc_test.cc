// Which requests are gRPC calls, and grpc-timeout both ways.
#include "http/grpc.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/siphash.h"

namespace albatross::http_test {
namespace {

bool grpc(const char* type) {
  Arena arena;
  Head h;
  h.fields = Fields(arena);
  if (type != nullptr) h.fields.add("content-type", type);
  return is_grpc(h);
}

// What is written behind its end shows.
std::string written(Nanos timeout) {
  std::string out(kGrpcTimeoutSize + 4, '!');
  std::size_t n = write_grpc_timeout(timeout, out.data());
  REQUIRE(n <= kGrpcTimeoutSize);
  CHECK(out.substr(kGrpcTimeoutSize) == "!!!!");
  return out.substr(0, n);
}

constexpr Nanos kHour = 3600 * kSecond;
constexpr Nanos kCentury = 100 * 365 * 24 * kHour;
constexpr Nanos kForEver = ~Nanos{0};

}  // namespace

TEST_CASE("a call is what has gRPC's content type") {
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc+",
                           "application/grpc;charset=utf-8", "application/grpc; a=b"}) {
    INFO(type);
    CHECK(grpc(type));
  }
  for (const char* type :
       {"", "application/grp", "application/grpc-web", "application/grpc-web+proto", "application/grpcx",
        "application/json", "text/application/grpc", " application/grpc", "application/json;application/grpc"}) {
    INFO(type);
    CHECK_FALSE(grpc(type));
  }
  CHECK_FALSE(grpc(nullptr));
}

TEST_CASE("grpc-timeout is read in every unit") {
  struct Case {
    const char* text;
    Nanos timeout;
  };
  for (const Case& c : std::initializer_list<Case>{{"1n", 1},
                                                   {"1u", 1000},
                                                   {"1m", kMilli},
                                                   {"1S", kSecond},
                                                   {"1M", 60 * kSecond},
                                                   {"1H", kHour},
                                                   {"0n", 0},
                                                   {"0H", 0},
                                                   {"007S", 7 * kSecond},
                                                   {"00000001n", 1},
                                                   {"99999999n", 99'999'999},
                                                   {"99999999u", 99'999'999'000},
                                                   {"99999999m", 99'999'999 * kMilli},
                                                   {"99999999S", 99'999'999 * kSecond}}) {
    INFO(c.text);
    CHECK(parse_grpc_timeout(c.text) == c.timeout);
  }
}

TEST_CASE("a grpc-timeout of more than a century is a century") {
  CHECK(parse_grpc_timeout("876000H") == kCentury);
  CHECK(parse_grpc_timeout("876001H") == kCentury);
  CHECK(parse_grpc_timeout("99999999H") == kCentury);  // 2^64 ns are 5124095 hours
  CHECK(parse_grpc_timeout("5124096H") == kCentury);
  CHECK(parse_grpc_timeout("52559999M") == kCentury - 60 * kSecond);
  CHECK(parse_grpc_timeout("52560001M") == kCentury);
  CHECK(parse_grpc_timeout("99999999M") == kCentury);
}

TEST_CASE("a grpc-timeout that is not one is none") {
  for (std::string_view text :
       {"",     "1",    "S",    "n",   "SS",         "1s",         "1h",          "1U",
        "1N",   "1ms",  "1 S",  " 1S", "1S ",        "1S1",        "-1S",         "+1S",
        "1.5S", "1e3S", "0x1S", "1,S", "123456789n", "000000001S", "4294967296S", "99999999999999999999S"}) {
    INFO(text);
    CHECK_FALSE(parse_grpc_timeout(text));
  }
  CHECK_FALSE(parse_grpc_timeout({"1\0S", 3}));
  CHECK_FALSE(parse_grpc_timeout({"1\0", 2}));
}

TEST_CASE("what is left goes on in the finest unit that holds it") {
  struct Case {
    Nanos timeout;
    const char* text;
  };
  for (const Case& c : std::initializer_list<Case>{{0, "0n"},
                                                   {1, "1n"},
                                                   {99'999'999, "99999999n"},
                                                   {100'000'000, "100000u"},
                                                   {100'000'999, "100000u"},
                                                   {kSecond, "1000000u"},
                                                   {99'999'999'999, "99999999u"},
                                                   {100 * kSecond, "100000m"},
                                                   {100'000 * kSecond - 1, "99999999m"},
                                                   {100'000 * kSecond, "100000S"},
                                                   {100'000'000 * kSecond, "1666666M"},
                                                   {kCentury, "52560000M"},
                                                   {60 * kSecond * 100'000'000, "1666666H"},
                                                   {kForEver, "5124095H"}}) {
    CHECK(written(c.timeout) == c.text);
  }
}

TEST_CASE("a server never gets more time than is left, and hardly less") {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    Nanos left = random.next() >> random.below(64);
    std::string text = written(left);
    CAPTURE(left, text);
    REQUIRE(text.size() <= 9);
    std::optional<Nanos> read = parse_grpc_timeout(text);
    REQUIRE(read);
    REQUIRE(*read <= left);
    if (left <= kCentury) REQUIRE(static_cast<double>(left - *read) <= static_cast<double>(left) * 1e-5);
  }
}

}  // namespace albatross::http_test
