// Every kind of condition and every form of value at its boundaries: by matches() and by the compiled table.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/routing/routing_support.h"

namespace albatross::test {
namespace {

bool holds(const config::Condition& condition, Request& request) {
  const bool plain = matches(condition, request.get());
  const auto matcher = matcher_of(listener({{condition}}));
  REQUIRE(matcher != nullptr);
  const bool compiled = matcher->match(request.get()).rule == 0;
  CHECK(plain == compiled);
  // A second condition keeps the first from being the index key, or makes it one.
  const auto behind = matcher_of(listener({{negate(negate(condition)), path({wildcard("*")}), host({wildcard("*")})}}));
  CHECK((behind->match(request.get()).rule == 0) == plain);
  const auto negated = matcher_of(listener({{negate(condition)}}));
  CHECK((negated->match(request.get()).rule == 0) == !plain);
  return plain && compiled;
}

struct Case {
  config::Pattern pattern;
  std::string subject;
  bool expected;
};

void describe(const Case& c) {
  UNSCOPED_INFO("kind " << static_cast<int>(c.pattern.kind) << " pattern " << c.pattern.text << " subject "
                        << c.subject);
}

TEST_CASE("host conditions ignore case, port and a trailing dot") {
  const std::vector<Case> cases = {
      {exact("api.example.com"), "api.example.com", true},
      {exact("API.Example.com"), "api.EXAMPLE.com", true},
      {exact("api.example.com"), "api.example.com:8443", true},
      {exact("api.example.com"), "api.example.com.", true},
      {exact("api.example.com"), "api.example.com.:80", true},
      {exact("api.example.com."), "api.example.com", true},
      {exact("api.example.com"), "api.example.com..", false},
      {exact("api.example.com"), "xapi.example.com", false},
      {exact("api.example.com"), "api.example.co", false},
      {exact("api.example.com"), "", false},
      {exact("[::1]"), "[::1]", true},
      {exact("[::1]"), "[::1]:443", true},
      {exact("[2001:DB8::1]"), "[2001:db8::1]:443", true},
      {exact("[::1]"), "[::2]:443", false},
      {exact("::1"), "::1", true},
      {exact("[::1"), "[::1", true},
      {prefix("api."), "API.example.com:80", true},
      {prefix("api."), "xapi.example.com", false},
      {wildcard("*.example.com"), "a.example.com", true},
      {wildcard("*.Example.com"), "a.b.c.EXAMPLE.com:80", true},
      {wildcard("*.example.com"), "example.com", false},
      {wildcard("*.example.com"), ".example.com", true},
      {wildcard("*.example.com"), "a.example.com.", true},
      {wildcard("*.example.com"), "a.example.comx", false},
      {wildcard("*.example.com"), "aexample.com", false},
      {wildcard("*example.com"), "aexample.com", true},
      {wildcard("api.*"), "api.example.com", true},
      {wildcard("a*.example.*"), "abc.d.example.org", true},
      {wildcard("?.example.com"), "a.example.com", true},
      {wildcard("?.example.com"), "ab.example.com", false},
      {wildcard("?.example.com"), ".example.com", false},
      {wildcard("*"), "", true},
      {wildcard("*"), "anything", true},
      {wildcard("*.*"), "localhost", false},
      {wildcard("*."), "example.com.", false},
      {regex("^api[0-9]+\\."), "API7.example.com", true},
      {regex("^API[0-9]+\\."), "api7.example.com", true},
      {regex("example"), "www.EXAMPLE.com", true},
      {regex("com$"), "example.com:443", true},
      {regex("443"), "example.com:443", false},
  };
  for (const Case& c : cases) {
    describe(c);
    Request request;
    CHECK(holds(host({c.pattern}), request.host(c.subject)) == c.expected);
  }
}

TEST_CASE("path conditions go by case and by whole segments") {
  const std::vector<Case> cases = {
      {exact("/v1"), "/v1", true},
      {exact("/v1"), "/v1/", false},
      {exact("/v1/"), "/v1/", true},
      {exact("/v1/"), "/v1", false},
      {exact("/v1"), "/V1", false},
      {exact("/"), "/", true},
      {exact("/"), "/a", false},
      {exact("//"), "//", true},
      {exact("/a//b"), "/a//b", true},
      {exact("/a//b"), "/a/b", false},
      {prefix("/v2"), "/v2", true},
      {prefix("/v2"), "/v2/", true},
      {prefix("/v2"), "/v2/x", true},
      {prefix("/v2"), "/v2//x", true},
      {prefix("/v2"), "/v2x", false},
      {prefix("/v2"), "/v", false},
      {prefix("/v2"), "/V2/x", false},
      {prefix("/v2/"), "/v2/", true},
      {prefix("/v2/"), "/v2/x/y", true},
      {prefix("/v2/"), "/v2", false},
      {prefix("/v2//"), "/v2//x", true},
      {prefix("/v2//"), "/v2/x", false},
      {prefix("/"), "/", true},
      {prefix("/"), "/a/b", true},
      {prefix("/"), "*", false},
      {wildcard("/v1/*"), "/v1/", true},
      {wildcard("/v1/*"), "/v1/a/b", true},
      {wildcard("/v1/*"), "/v1", false},
      {wildcard("/v1/*"), "/v1x/", false},
      {wildcard("/v1*"), "/v1", true},
      {wildcard("/v1*"), "/v1x/y", true},
      {wildcard("/v1*"), "/v", false},
      {wildcard("/v1/us*"), "/v1/users/1", true},
      {wildcard("/v1/us*"), "/v1/u", false},
      {wildcard("/*/users"), "/a/b/users", true},
      {wildcard("/*/users"), "/users", false},
      {wildcard("/v?/users"), "/v1/users", true},
      {wildcard("/v?/users"), "/v/users", false},
      {wildcard("*.php"), "/a/b.php", true},
      {wildcard("*.php"), "/a/b.php5", false},
      {wildcard("*admin*"), "/a/admin/b", true},
      {wildcard("/a\\*b"), "/a*b", true},
      {wildcard("/a\\*b"), "/axb", false},
      {wildcard("/a\\**"), "/a*/x", true},
      {wildcard("/a\\*"), "/a", false},
      {wildcard("/a\\\\*"), "/a\\bc", true},
      {wildcard("/\\~x"), "/~x", true},
      {wildcard("*"), "*", true},
      {wildcard("/*"), "*", false},
      {wildcard("/*"), "/", true},
      {wildcard("**"), "/x", true},
      {regex("^/v3/users/([0-9]+)$"), "/v3/users/7", true},
      {regex("^/v3/users/([0-9]+)$"), "/v3/users/7/", false},
      {regex("users"), "/v3/users/7", true},
      {regex("Users"), "/v3/users/7", false},
      {regex("Users", true), "/v3/users/7", true},
      {regex("^/API", true), "/api", true},
      {regex("^/a|b$"), "/xb", true},
      {regex("^/a(x|y)b"), "/ayb", true},
      {regex("^/ab*/"), "/a/", true},
      {regex("^/ab+/"), "/abb/", true},
      {regex("^/ab+/"), "/a/", false},
      {regex("^/ab?/"), "/a/", true},
      {regex("^/a\\.?/"), "/a/", true},
      {regex("^/a\\.b"), "/axb", false},
      {regex("^/ab{2}/"), "/abb/", true},
      {regex("^/a$"), "/a", true},
      {regex("^/a$"), "/ab", false},
      {regex("^/a$"), "/a\n", false},
      {regex("^/\\Qa.b\\E*"), "/a.bbb", true},
      {regex("^/a\\b"), "/a/x", true},
      {regex("^/a\\b"), "/ab", false},
      {regex("^/a[|]b"), "/a|b", true},
      {regex("^/a[]|]b"), "/a]b", true},
      {regex("^/a[^/]+$"), "/abc", true},
      {regex("^/a[[:alpha:]|]b|x"), "/ayb", true},
      {regex("^/a(?i)+/"), "/aaa/", true},
      {regex("^/a(?i)B"), "/ab", true},
      {regex("^"), "anything", true},
      {regex("^$"), "/", false},
  };
  for (const Case& c : cases) {
    describe(c);
    Request request;
    CHECK(holds(path({c.pattern}), request.path(c.subject)) == c.expected);
  }
}

TEST_CASE("header conditions test each field line") {
  Request request;
  request.field("User-Agent", "Mozilla/5.0 (iPhone)").field("X-Tag", "one").field("x-tag", "two").field("X-Empty", "");
  CHECK(holds(header("user-agent", {wildcard("*iPhone*")}), request));
  CHECK_FALSE(holds(header("user-agent", {wildcard("*iphone*")}), request));
  CHECK(holds(header("user-agent", {regex("iphone|android", true)}), request));
  CHECK(holds(header("user-agent", {prefix("Mozilla/")}), request));
  CHECK(holds(header("x-tag", {exact("two")}), request));
  CHECK(holds(header("x-tag", {exact("three"), exact("one")}), request));
  CHECK_FALSE(holds(header("x-tag", {exact("one, two")}), request));
  CHECK_FALSE(holds(header("x-tag", {exact("ONE")}), request));
  CHECK(holds(header("x-empty", {wildcard("*")}), request));
  CHECK(holds(header("x-empty", {exact("")}), request));
  CHECK_FALSE(holds(header("x-absent", {wildcard("*")}), request));
  CHECK_FALSE(holds(header("x-absent", {exact("")}), request));
  CHECK(holds(negate(header("x-absent", {wildcard("*")})), request));
  request.fields().remove("x-tag");
  CHECK_FALSE(holds(header("x-tag", {wildcard("*")}), request));
}

TEST_CASE("cookie conditions test every cookie of that name") {
  Request request;
  request.field("Cookie", "a=1; canary=always;b=\"x y\" ;c=d=e; flag").field("cookie", "canary=never;\ta=2");
  CHECK(holds(cookie("canary", {exact("always")}), request));
  CHECK(holds(cookie("canary", {exact("never")}), request));
  CHECK_FALSE(holds(cookie("Canary", {wildcard("*")}), request));
  CHECK(holds(cookie("a", {exact("2")}), request));
  CHECK(holds(cookie("b", {exact("\"x y\"")}), request));
  CHECK(holds(cookie("c", {exact("d=e")}), request));
  CHECK_FALSE(holds(cookie("flag", {wildcard("*")}), request));
  CHECK_FALSE(holds(cookie("nary", {wildcard("*")}), request));
}

TEST_CASE("query conditions decode names and values") {
  Request request;
  request.query("version=2&q=a%20b+c&%76=x&flag&empty=&v=%C3%BC&bad=%zz%4&a=1&a=%32&=n&x=1=2&&");
  CHECK(holds(query("version", {exact("2")}), request));
  CHECK(holds(query("q", {exact("a b c")}), request));
  CHECK(holds(query("v", {exact("x")}), request));
  CHECK(holds(query("v", {exact("\xc3\xbc")}), request));
  CHECK(holds(query("flag", {exact("")}), request));
  CHECK(holds(query("empty", {exact("")}), request));
  CHECK(holds(query("bad", {exact("%zz%4")}), request));
  CHECK(holds(query("a", {exact("2")}), request));
  CHECK(holds(query("a", {regex("^[1]$")}), request));
  CHECK(holds(query("x", {exact("1=2")}), request));
  CHECK(holds(query("", {exact("n")}), request));
  CHECK_FALSE(holds(query("", {exact("")}), request));
  CHECK_FALSE(holds(query("Version", {wildcard("*")}), request));
  CHECK_FALSE(holds(query("a", {exact("%32")}), request));
}

TEST_CASE("items are the members of a list") {
  Request request;
  request.field("Accept-Encoding", "gzip;q=0.5 , br,,").field("X", "\"a,b\", c").field("accept-encoding", "zstd");
  request.field("Y", "caf\xe9, \xff\xfe");
  CHECK(holds(items("accept-encoding", {exact("br")}), request));
  CHECK(holds(items("accept-encoding", {prefix("gzip")}), request));
  CHECK(holds(items("accept-encoding", {exact("zstd")}), request));
  CHECK_FALSE(holds(items("accept-encoding", {exact("gzip")}), request));
  CHECK_FALSE(holds(items("accept-encoding", {exact("")}), request));
  CHECK(holds(items("x", {exact("\"a,b\"")}), request));
  CHECK(holds(items("x", {exact("c")}), request));
  CHECK_FALSE(holds(items("x", {exact("b\"")}), request));
  CHECK_FALSE(holds(items("z", {wildcard("*")}), request));
  // Bytes that are no UTF-8 are bytes like others, so a rule that denies them does.
  CHECK(holds(items("y", {exact("\xff\xfe")}), request));
  CHECK(holds(items("y", {regex("^caf.$")}), request));
}

TEST_CASE("ranges hold for decimal integers between both ends") {
  Request request;
  request.field("X", "10")
      .field("Bad", "10 ")
      .field("Bad", "0x5")
      .field("Bad", "5.0")
      .field("Bad", "+5")
      .field("Bad", "");
  request.field("Big", "9223372036854775808").query("n=%2d3&n=x").field("Cookie", "v=7");
  CHECK(holds(header("x", {range(1, 10)}), request));
  CHECK(holds(header("x", {range(10, 10)}), request));
  CHECK_FALSE(holds(header("x", {range(1, 9)}), request));
  CHECK_FALSE(holds(header("x", {range(11, 20)}), request));
  CHECK_FALSE(holds(header("bad", {range(-100, 100)}), request));
  CHECK_FALSE(holds(header("big", {range(0, INT64_MAX)}), request));
  CHECK(holds(query("n", {range(-3, -3)}), request));
  CHECK(holds(cookie("v", {range(0, 9), exact("x")}), request));
}

TEST_CASE("groups of conditions") {
  Request request;
  request.host("a.example").path("/x").method("GET").field("X-Raw", "\xc3\x28");
  const auto yes = host({exact("a.example")}), no = path({exact("/y")});
  CHECK(holds(group(Kind::kAny, {no, yes}), request));
  CHECK_FALSE(holds(group(Kind::kAny, {no, no}), request));
  CHECK(holds(group(Kind::kAll, {yes, negate(no)}), request));
  CHECK_FALSE(holds(group(Kind::kAll, {yes, no}), request));
  CHECK(holds(group(Kind::kAny, {no, group(Kind::kAll, {yes, group(Kind::kAny, {no, yes})})}), request));
  CHECK(holds(group(Kind::kAll, {header("x-raw", {wildcard("*")}), header("x-raw", {regex("\\(")})}), request));
}

TEST_CASE("conditions on the TLS connection hold only where there is one") {
  Request request;
  CHECK_FALSE(holds(sni({wildcard("*")}), request));
  CHECK_FALSE(holds(alpn({exact("h2")}), request));
  CHECK(holds(negate(alpn({exact("h2")})), request));
  request.tls("API.Example", "h2");
  CHECK(holds(sni({exact("api.example")}), request));
  CHECK(holds(sni({wildcard("*.EXAMPLE")}), request));
  CHECK(holds(sni({regex("^api\\.")}), request));
  CHECK_FALSE(holds(sni({exact("example.com")}), request));  // that is the Host
  CHECK(holds(alpn({exact("http/1.1"), exact("h2")}), request));
  // Bytes that are no UTF-8 do not make a deny rule open.
  request.tls("\xff.evil.example", "h2");
  CHECK(holds(sni({wildcard("*.evil.example")}), request));
  CHECK(holds(sni({regex("evil")}), request));
}

TEST_CASE("method and source address conditions") {
  Request request;
  request.method("GET").from("10.1.2.3");
  CHECK(holds(method({exact("HEAD"), exact("GET")}), request));
  CHECK_FALSE(holds(method({exact("get")}), request));
  CHECK(holds(source_ip({"10.0.0.0/8"}), request));
  CHECK(holds(source_ip({"192.168.0.0/16", "10.1.2.3"}), request));
  CHECK_FALSE(holds(source_ip({"10.1.2.4", "::/0"}), request));
  request.from("2001:db8::7");
  CHECK(holds(source_ip({"2001:db8::/32"}), request));
  CHECK_FALSE(holds(source_ip({"0.0.0.0/0"}), request));
  request.from("::ffff:10.0.0.1");
  CHECK(holds(source_ip({"10.0.0.0/8"}), request));
  Request over_unix_socket;
  CHECK_FALSE(holds(source_ip({"0.0.0.0/0", "::/0"}), over_unix_socket));
}

TEST_CASE("a condition without values never holds, and without fields nothing is present") {
  Request request;
  CHECK_FALSE(holds(path({}), request));
  CHECK_FALSE(holds(host({}), request));
  CHECK_FALSE(holds(header("x", {}), request));
  RouteQuery bare = request.get();
  bare.fields = nullptr;
  const auto matcher = matcher_of(listener({{header("x", {wildcard("*")})}, {cookie("x", {wildcard("*")})}}));
  CHECK(matcher->match(bare).rule == 2);
}

}  // namespace
}  // namespace albatross::test
