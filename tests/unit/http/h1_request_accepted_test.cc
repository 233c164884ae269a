// Requests that are fine, what they mean, and that cutting them changes nothing.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/http/cuts.h"

namespace albatross::http_test {
namespace {

// Parses through the codec, cut in every way, and by the pure function once more to look at the parts. The views are
// good until the next call.
Head parsed(const std::string& text, ParsedHead& rows) {
  static std::string bytes;
  bytes = text;
  INFO(escaped(bytes));
  Run r = same_however_cut({}, bytes);
  REQUIRE(r.cause == Cause::kNone);
  REQUIRE(r.heads >= 1);
  REQUIRE(parse_request_head(bytes, HeadLimits{}, rows).state == ParseState::kComplete);
  return rows.head;
}

std::string live(const ParsedHead& p) {
  std::string out;
  for (std::uint32_t i = 0; i < p.count; ++i) {
    if (!p.rows[i].removed) out += std::string(p.rows[i].name()) + "=" + std::string(p.rows[i].value()) + ";";
  }
  return out;
}

ParsedHead& rows() {
  static ParsedHead p;
  return p;
}

std::string get(std::string_view fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n"; }

}  // namespace

TEST_CASE("any token is a method, of any length that fits") {
  const std::size_t sizes[] = {1, 2, 7, 31, 32, 33, 34, 64};
  for (std::size_t n : sizes) {
    CAPTURE(n);
    std::string method(n, 'M');
    Head h = parsed(method + " / HTTP/1.1\r\nHost: a\r\n\r\n", rows());
    CHECK(h.method_text == method);
    CHECK(h.method == Method::kOther);
  }
  CHECK(parsed("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: a\r\n\r\n", rows()).method == Method::kOther);
  CHECK(parsed("get / HTTP/1.1\r\nHost: a\r\n\r\n", rows()).method == Method::kOther);
  CHECK(parsed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", rows()).method == Method::kGet);
}

TEST_CASE("one empty line before a request is ignored") {
  Head h = parsed("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n", rows());
  CHECK(h.path == "/x");
}

TEST_CASE("targets are split into host, path and query") {
  struct Case {
    const char *target, *authority, *path, *query;
  };
  for (const Case& c : {Case{"/", "a", "/", nullptr},
                        {"/x/y", "a", "/x/y", nullptr},
                        {"/?", "a", "/", ""},
                        {"/x?y=z&w", "a", "/x", "y=z&w"},
                        {"/x??y?", "a", "/x", "?y?"},
                        {"//x", "a", "//x", nullptr},
                        {"//", "a", "//", nullptr},
                        {"/x://y", "a", "/x://y", nullptr},
                        {"/%2e%2E/x", "a", "/%2e%2E/x", nullptr},
                        {"/a|b^c{d}\"<>\\`", "a", "/a|b^c{d}\"<>\\`", nullptr},
                        {"http://a", "a", "/", nullptr},
                        {"http://a/", "a", "/", nullptr},
                        {"HTTP://A/x?y", "A", "/x", "y"},
                        {"https://a?q", "a", "/", "q"},
                        {"http://a/?", "a", "/", ""},
                        {"/*", "a", "/*", nullptr}}) {
    CAPTURE(c.target);
    Head h = parsed("GET " + std::string(c.target) + " HTTP/1.1\r\nHost: a\r\n\r\n", rows());
    CHECK(h.target == c.target);
    CHECK(h.authority == c.authority);
    CHECK(h.path == c.path);
    CHECK(h.has_query == (c.query != nullptr));
    CHECK(h.query == (c.query != nullptr ? c.query : ""));
  }
  CHECK(parsed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", rows()).path == "*");
  CHECK(parsed("GET http://[::1]:80/x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", rows()).authority == "[::1]:80");
  CHECK(parsed("GET http://a/x HTTP/1.0\r\n\r\n", rows()).authority == "a");
}

TEST_CASE("an absolute form of OPTIONS without a path asks for the server itself") {
  CHECK(parsed("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", rows()).path == "*");  // RFC 9112 §3.2.4
  CHECK(parsed("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", rows()).path == "/");
  CHECK(parsed("OPTIONS http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", rows()).path == "/");
}

TEST_CASE("the host field goes into the authority and out of the fields") {
  for (const char* host : {"a", "a:80", "A.Example.COM", "a.", "1.2.3.4", "1.2.3.4:65535", "[::1]",
                           "[2001:db8::1]:8080", "[::ffff:1.2.3.4]", "a_b", "a-b", "a%41"}) {
    Head h = parsed("GET / HTTP/1.1\r\nhOsT: \t" + std::string(host) + " \t\r\nX: y\r\n\r\n", rows());
    CHECK(h.authority == host);
    CHECK(live(rows()) == "X=y;");
  }
  CHECK(parsed("GET / HTTP/1.0\r\n\r\n", rows()).authority.empty());
}

TEST_CASE("field values keep inner blanks and high bytes and lose outer blanks") {
  parsed(get("X:\r\nX: \t \r\nX:a\r\nX: \ta b\tc \t\r\nx-y: \x80\xff\r\nX: : :\r\n"), rows());
  CHECK(live(rows()) == "X=;X=;X=a;X=a b\tc;x-y=\x80\xff;X=: :;");
}

TEST_CASE("bodies are framed by a length or chunked") {
  ParsedHead& p = rows();
  using Kind = BodyLength::Kind;
  auto post = [](std::string_view fields, std::string_view rest) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(rest);
  };
  CHECK(parsed(post("", ""), p).body == BodyLength{Kind::kNone, 0});
  CHECK(parsed(post("Content-Length: 0\r\n", ""), p).body == BodyLength{Kind::kLength, 0});
  CHECK(parsed(post("Content-Length: 5\r\n", "12345"), p).body == BodyLength{Kind::kLength, 5});
  CHECK(parsed(post("cONTENT-lENGTH:\t0005 \r\n", "12345"), p).body == BodyLength{Kind::kLength, 5});
  CHECK(parsed(post("Content-Length: 9223372036854775807\r\n", "x"), p).body == BodyLength{Kind::kLength, INT64_MAX});
  CHECK(parsed(post("Content-Length: 000000000000000000000000000000000000005\r\n", "12345"), p).body ==
        BodyLength{Kind::kLength, 5});
  CHECK(parsed(post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), p).body == BodyLength{Kind::kChunked, 0});
  CHECK(parsed(post("transfer-encoding: \tCHUNKED \r\n", "0\r\n\r\n"), p).body == BodyLength{Kind::kChunked, 0});
  CHECK(parsed("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", p).body == BodyLength{Kind::kLength, 2});
  CHECK(live(p).empty());
}

TEST_CASE("the bodies of pipelined requests come out whole and apart") {
  std::string bytes =
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nHost: evil\r\n\r\nGET /3 HTTP/1.1\r\nHost: "
      "a\r\n\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n";
  Run r = same_however_cut({}, bytes);
  CHECK(r.cause == Cause::kNone);
  CHECK(r.complete);
  CHECK(r.bodies == std::vector<std::string>{"hello", "abc0123456789", "", ""});
  CHECK(r.ends == 4);
  CHECK(r.text.find("trailers\n  X-Sum=[1]\nhead") != std::string::npos);
}

TEST_CASE("what Connection says decides whether the connection lives on") {
  struct Case {
    const char *version, *fields;
    bool keep;
  };
  for (const Case& c : {Case{"1.1", "", true},
                        {"1.1", "Connection: close\r\n", false},
                        {"1.1", "Connection: keep-alive\r\n", true},
                        {"1.1", "Connection: CLOSE\r\n", false},
                        {"1.1", "Connection: x, close ,y\r\n", false},
                        {"1.1", "Connection: x\r\nConnection: close\r\n", false},
                        {"1.1", "Connection: keep-alive, close\r\n", false},
                        {"1.1", "Connection: closed\r\n", true},
                        {"1.0", "", false},
                        {"1.0", "Connection: keep-alive\r\n", true},
                        {"1.0", "Connection: Keep-Alive\r\n", true},
                        {"1.0", "Connection: keep-alive, close\r\n", false},
                        {"1.1", "Proxy-Connection: close\r\n", true}}) {
    CAPTURE(c.version, c.fields);
    Head h = parsed("GET / HTTP/" + std::string(c.version) + "\r\nHost: a\r\n" + c.fields + "\r\n", rows());
    CHECK(h.keep_alive == c.keep);
    CHECK(live(rows()).empty());
  }
}

TEST_CASE("fields of this hop and those that Connection names are removed") {
  parsed(get("Connection: x-a, ,X-B\r\nX-A: 1\r\nx-b: 2\r\nX-C: 3\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: "
             "h2c\r\nHTTP2-Settings: x\r\nx-a: 4\r\nConnection: x-d\r\nX-D: 5\r\n"),
         rows());
  CHECK(live(rows()) == "X-C=3;");
  Head h =
      parsed("POST / HTTP/1.1\r\nConnection: host, content-length\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", rows());
  CHECK(h.authority == "a");
  CHECK(h.body.length == 2);
}

TEST_CASE("names with an underscore frame nothing") {
  const Head h = parsed(get("Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX_Y: z\r\n_: v\r\n"), rows());
  CHECK(h.body.empty());
  CHECK(live(rows()) == "Content_Length=5;Transfer_Encoding=chunked;X_Y=z;_=v;");
}

TEST_CASE("TE goes on only as trailers") {
  parsed(get("TE: gzip;q=0.5, trailers\r\n"), rows());
  CHECK(live(rows()) == "TE=trailers;");
  parsed(get("TE: gzip\r\n"), rows());
  CHECK(live(rows()).empty());
  parsed(get("TE: deflate ,\ttrailers\t, gzip\r\n"), rows());
  CHECK(live(rows()) == "TE=trailers;");
  parsed(get("TE: Trailers\r\n"), rows());
  CHECK(live(rows()) == "TE=Trailers;");
}

TEST_CASE("Expect is 100-continue on a request with a body, and never goes on") {
  CHECK(parsed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi", rows())
            .expect_continue);
  CHECK(live(rows()).empty());
  CHECK_FALSE(parsed(get("Expect: 100-continue\r\n"), rows()).expect_continue);
  CHECK_FALSE(parsed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", rows()).expect_continue);
  CHECK_FALSE(parsed("POST / HTTP/1.0\r\nExpect: x\r\nContent-Length: 2\r\n\r\nhi", rows()).expect_continue);
  CHECK(live(rows()).empty());
}

TEST_CASE("an upgrade is a GET to websocket, nominated, without a body, on 1.1") {
  struct Case {
    const char* head;
    bool upgrade;
  };
  const std::string tail = "\r\n\r\n";
  for (const Case& c :
       {Case{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade", false},
        {"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket", false},
        {"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket", false}}) {
    CAPTURE(c.head);
    CHECK(parsed(c.head + tail, rows()).upgrade == c.upgrade);
    CHECK(live(rows()).empty());
  }
  CHECK_FALSE(
      parsed("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi",
             rows())
          .upgrade);
}

}  // namespace albatross::http_test
