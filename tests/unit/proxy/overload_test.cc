#include "proxy/overload.h"

#include <catch2/catch_test_macros.hpp>

namespace albatross::proxy_test {
namespace {

OverloadLevel at(OverloadLevel before, std::uint64_t memory, std::uint64_t descriptors = 0) {
  return next_level(before, Resources{memory, 1000, descriptors, 1000});
}

}  // namespace

TEST_CASE("overload levels are entered at their marks, several at once if need be") {
  using L = OverloadLevel;
  CHECK(at(L::kNone, 799) == L::kNone);
  CHECK(at(L::kNone, 800) == L::kNoKeepAlive);
  CHECK(at(L::kNone, 900) == L::kEndLargest);
  CHECK(at(L::kNone, 950) == L::kRefuse);
  CHECK(at(L::kNone, 980) == L::kStopAccepting);
  CHECK(at(L::kNone, 2000) == L::kStopAccepting);
}

TEST_CASE("a level is left five points below its mark") {
  using L = OverloadLevel;
  CHECK(at(L::kNoKeepAlive, 750) == L::kNoKeepAlive);
  CHECK(at(L::kNoKeepAlive, 749) == L::kNone);
  CHECK(at(L::kStopAccepting, 930) == L::kStopAccepting);
  CHECK(at(L::kStopAccepting, 929) == L::kRefuse);
  CHECK(at(L::kStopAccepting, 899) == L::kEndLargest);
  CHECK(at(L::kStopAccepting, 100) == L::kNone);
}

TEST_CASE("the scarcer resource decides, and one without a limit does not") {
  using L = OverloadLevel;
  CHECK(at(L::kNone, 100, 960) == L::kRefuse);
  CHECK(next_level(L::kNone, Resources{1'000'000, 0, 10, 1000}) == L::kNone);
}

}  // namespace albatross::proxy_test
