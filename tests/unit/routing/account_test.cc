// Why a rule does not match, in words.
#include "routing/rules/account.h"

#include "tests/support/catch.h"
#include "tests/unit/routing/routing_support.h"

using namespace albatross;
using namespace albatross::test;

namespace {

std::string why(std::vector<config::Condition> conditions, Request& request) {
  config::Rule rule;
  rule.conditions = std::move(conditions);
  const auto mismatch = first_mismatch(rule, request.get());
  return mismatch ? mismatch->wanted + "; " + mismatch->found : "matches";
}

}  // namespace

TEST_CASE("the first condition that fails is told with both values") {
  Request r;
  r.host("c.example:81").path("/v3/x").query("k=a+b&k=2").method("POST").from("10.1.2.3");
  r.field("X-A", "1").field("x-a", "").field("Cookie", "c=1; d=2");
  CHECK(why({}, r) == "matches");
  CHECK(why({method({exact("POST")}), host({exact("a.example"), wildcard("*.b.example")})}, r) ==
        "host is a.example or *.b.example; c.example");
  CHECK(why({path({prefix("/v2"), regex("^/v4")})}, r) == "path is /v2 and below or ~^/v4; /v3/x");
  CHECK(why({header("x-a", {exact("2")})}, r) == "header x-a is 2; 1, \"\"");
  CHECK(why({header("x-b", {wildcard("*")})}, r) == "header x-b is *; none");
  CHECK(why({cookie("c", {exact("2")})}, r) == "cookie c is 2; 1");
  CHECK(why({query("k", {exact("3")})}, r) == "query parameter k is 3; a b, 2");
  CHECK(why({method({exact("GET")})}, r) == "method is GET; POST");
  CHECK(why({source_ip({"192.168.0.0/16", "10.0.0.0/16"})}, r) ==
        "client address is 192.168.0.0/16 or 10.0.0.0/16; 10.1.2.3");
  CHECK(why({negate(method({exact("POST")}))}, r) == "not (method is POST); method is POST");
  CHECK(why({query("k", {range(3, 5)})}, r) == "query parameter k is 3 to 5; a b, 2");
  CHECK(why({group(Kind::kAny, {method({exact("GET")}), path({exact("/y")})})}, r) ==
        "(method is GET) or (path is /y); method is POST; path is /v3/x");
  CHECK(why({group(Kind::kAll, {method({exact("POST")}), path({exact("/y")})})}, r) ==
        "(method is POST) and (path is /y); path is /v3/x");
  CHECK(why({items("x-a", {exact("2")})}, r) == "an item of header x-a is 2; 1");
  CHECK(why({sni({exact("a.example")})}, r) == "SNI is a.example; none");
  r.tls("b.example", "h2").at(1'795'802'400);
  CHECK(why({sni({exact("a.example")})}, r) == "SNI is a.example; b.example");
  CHECK(why({alpn({exact("http/1.1")})}, r) == "ALPN is http/1.1; h2");
  config::TimeWindow office;
  office.days = 0x3e;
  office.from = 540;
  office.to = 1050;
  CHECK(why({when(office)}, r) == "time is mon tue wed thu fri 09:00-17:30 UTC; Fri 2026-11-27 18:00 UTC");
  CHECK(why({negate(negate(method({exact("GET")})))}, r) == "not (not (method is GET)); that holds");
}
