#include "base/error.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

namespace albatross::base_test {

TEST_CASE("every cause has a name of its own, words, and a sane status") {
  std::set<std::string_view> names;
  for (int i = 1; i < static_cast<int>(Cause::kCount); ++i) {
    const CauseInfo& c = info(static_cast<Cause>(i));
    CAPTURE(i, c.name);
    CHECK_FALSE(c.name.empty());
    CHECK(c.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
    CHECK(names.insert(c.name).second);
    CHECK_FALSE(c.detail.empty());
    CHECK(c.detail.back() != '.');
    CHECK((c.status == 0 || (c.status >= 400 && c.status <= 599)));
    CHECK(c.grpc_status > 0);
    CHECK(c.grpc_status <= 16);
  }
  CHECK(info(Cause::kNone).name.empty());
}

TEST_CASE("causes map to the statuses that are promised") {
  for (auto [cause, status] : {std::pair{Cause::kMalformedRequest, 400},
                               {Cause::kNoRule, 404},
                               {Cause::kHeadTimeout, 408},
                               {Cause::kBodyTimeout, 408},
                               {Cause::kBodyTooLarge, 413},
                               {Cause::kTargetTooLong, 414},
                               {Cause::kExpectationFailed, 417},
                               {Cause::kMisdirected, 421},
                               {Cause::kHeadTooLarge, 431},
                               {Cause::kLoop, 463},
                               {Cause::kClientLeft, 499},
                               {Cause::kDrainCut, 500},
                               {Cause::kNotImplemented, 501},
                               {Cause::kConnectRefused, 502},
                               {Cause::kUpstreamReset, 502},
                               {Cause::kUpstreamMalformed, 502},
                               {Cause::kNoServer, 503},
                               {Cause::kOverLimit, 503},
                               {Cause::kConnectTimeout, 504},
                               {Cause::kResponseTimeout, 504},
                               {Cause::kTotalTimeout, 504},
                               {Cause::kBadPath, 400},
                               {Cause::kUnsupportedVersion, 505}}) {
    CHECK(info(cause).status == status);
  }
}

TEST_CASE("an error of the client or of the proxy is never retried, that of a server as it says") {
  constexpr Error down = downstream_error(Cause::kClientLeft);
  CHECK(down.cause == Cause::kClientLeft);
  CHECK(down.source == Source::kDownstream);
  CHECK(down.retry == RetrySafety::kNever);
  CHECK(down.system == 0);
  CHECK(down.detail == nullptr);
  constexpr Error ours = internal_error(Cause::kInternal, "why", 5);
  CHECK(ours.source == Source::kInternal);
  CHECK(ours.retry == RetrySafety::kNever);
  CHECK(ours.system == 5);
  CHECK(ours.detail == std::string("why"));
  constexpr Error up = upstream_error(Cause::kConnectRefused, RetrySafety::kSafe, nullptr, 111);
  CHECK(up.source == Source::kUpstream);
  CHECK(up.retry == RetrySafety::kSafe);
  CHECK(up.system == 111);
}

TEST_CASE("a result is a value or an error") {
  Result<std::string> good = std::string("x");
  CHECK(good.ok());
  CHECK(*good == "x");
  CHECK(good->size() == 1);
  Result<std::string> bad = internal_error(Cause::kInternal, "why", 5);
  CHECK_FALSE(bad);
  CHECK(bad.error().cause == Cause::kInternal);
  CHECK(bad.error().system == 5);
}

}  // namespace albatross::base_test
