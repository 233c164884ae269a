// The first line of a request: RFC 9112 §3, RFC 9110 §4.2, §7.1.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

namespace {
const std::string kHost = "Host: a\r\n\r\n";
std::string line(const std::string& text) { return text + "\r\n" + kHost; }
std::string target(const std::string& text) { return line("GET " + text + " HTTP/1.1"); }
}  // namespace

TEST_CASE("request lines", "[request]") {
  RequestCorpus corpus;
  corpus.run({
      {"plain", line("GET / HTTP/1.1"), {200}, "get / http/1.1"},
      {"one empty line in front", "\r\n" + line("GET / HTTP/1.1"), {200}},
      {"two empty lines in front", "\r\n\r\n" + line("GET / HTTP/1.1")},
      {"a bare LF in front", "\n" + line("GET / HTTP/1.1")},
      {"a bare CR in front", "\r" + line("GET / HTTP/1.1")},
      {"a bare LF behind", "GET / HTTP/1.1\n" + kHost},
      {"a bare CR behind", "GET / HTTP/1.1\r" + kHost},
      {"all bare LF", "GET / HTTP/1.1\nHost: a\n\n"},
      {"a space in front", " " + line("GET / HTTP/1.1")},
      {"two spaces behind the method", line("GET  / HTTP/1.1")},
      {"two spaces behind the target", line("GET /  HTTP/1.1")},
      {"tab behind the method", line("GET\t/ HTTP/1.1")},
      {"tab behind the target", line("GET /\tHTTP/1.1")},
      {"a space behind the version", line("GET / HTTP/1.1 ")},
      {"a tab behind the version", line("GET / HTTP/1.1\t")},
      {"a word behind the version", line("GET / HTTP/1.1 x")},
      {"vertical tab", line("GET\v/ HTTP/1.1")},
      {"no version", line("GET /")},
      {"no version, with space", line("GET / ")},
      {"method only", line("GET")},
      {"empty line's worth of spaces", line("   ")},
      {"no method", line("/ HTTP/1.1")},
      {"no target", line("GET HTTP/1.1")},
      {"an empty target", line("GET  HTTP/1.1")},
  });
}

TEST_CASE("methods", "[request]") {
  RequestCorpus corpus;
  corpus.run({
      {"lower case is a method of its own", line("get / HTTP/1.1"), {200}, "get / "},
      {"unknown", line("FROB / HTTP/1.1"), {200}, "frob / "},
      {"odd token", line("M-SEARCH!#$%&'*+.^_`|~9 / HTTP/1.1"), {200}, "m-search!#$%&'*+.^_`|~9 / "},
      {"bracket", line("G(T / HTTP/1.1")},
      {"comma", line("GET,POST / HTTP/1.1")},
      {"colon", line("GET: / HTTP/1.1")},
      {"slash", line("G/T / HTTP/1.1")},
      {"high byte", line("G\xc9T / HTTP/1.1")},
      {"NUL", line("G\0T / HTTP/1.1"s)},
      {"at", line("@GET / HTTP/1.1")},
      {"quote", line("\"GET\" / HTTP/1.1")},
      {"CONNECT authority", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", {400, 501}},
      {"CONNECT path", line("CONNECT / HTTP/1.1"), {400, 501}},
      {"the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}},
      {"the preface as HTTP/1.1", line("PRI * HTTP/1.1")},
      {"a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s},
  });
}

TEST_CASE("versions", "[request]") {
  RequestCorpus corpus;
  corpus.run({
      {"0.9", line("GET / HTTP/0.9"), {400, 505}},
      {"1.2", line("GET / HTTP/1.2"), {400, 505}},
      {"1.9", line("GET / HTTP/1.9"), {400, 505}},
      {"2.0", line("GET / HTTP/2.0"), {400, 505}},
      {"2", line("GET / HTTP/2"), {400, 505}},
      {"3.0", line("GET / HTTP/3.0"), {400, 505}},
      {"9.9", line("GET / HTTP/9.9"), {400, 505}},
      {"1.10", line("GET / HTTP/1.10"), {400, 505}},
      {"01.1", line("GET / HTTP/01.1"), {400, 505}},
      {"1.01", line("GET / HTTP/1.01"), {400, 505}},
      {"1", line("GET / HTTP/1"), {400, 505}},
      {"1.", line("GET / HTTP/1."), {400, 505}},
      {".1", line("GET / HTTP/.1"), {400, 505}},
      {"11", line("GET / HTTP/11"), {400, 505}},
      {"1,1", line("GET / HTTP/1,1"), {400, 505}},
      {"lower case", line("GET / http/1.1"), {400, 505}},
      {"mixed case", line("GET / Http/1.1"), {400, 505}},
      {"a space inside", line("GET / HTTP/1. 1"), {400, 505}},
      {"a space before the slash", line("GET / HTTP /1.1"), {400, 505}},
      {"other protocol", line("GET / ICAP/1.0"), {400, 505}},
      {"a letter", line("GET / HTTP/1.x"), {400, 505}},
      {"negative", line("GET / HTTP/-1.1"), {400, 505}},
      {"glued garbage", line("GET / HTTP/1.1HTTP/1.1"), {400, 505}},
      {"NUL", line("GET / HTTP/1.1\0"s), {400, 505}},
      {"1.0 without a host", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {200}, "get / http/1.1\r\nhost:"},
  });
}

TEST_CASE("targets", "[request]") {
  RequestCorpus corpus;
  corpus.run({
      {"query", target("/a?b=c&d"), {200}, "get /a?b=c&d http/1.1"},
      {"empty query", target("/a?"), {200}, "get /a? http/1.1"},
      {"two question marks", target("/a?b?c"), {200}, "get /a?b?c http/1.1"},
      {"two slashes stay", target("//a//b"), {200}, "get //a//b http/1.1"},
      {"odd but allowed", target("/a;b=c,d:e@f!$&'()*+"), {200}, "get /a;b=c,d:e@f!$&'()*+ "},
      {"relative", target("a")},
      {"relative with slash", target("a/b")},
      {"backslash first", target("\\a")},
      {"star", target("*")},
      {"star and more", target("*/a")},
      {"query only", target("?a")},
      {"fragment", target("/a#b")},
      {"fragment with a suffix that fools", target("/admin#.png")},
      {"fragment in the query", target("/a?b#c")},
      {"fragment alone", target("#")},
      {"a space", target("/a b")},
      {"UTF-8 is escaped", target("/\xc3\xa9/..%2e?\xe2\x82\xac"), {200}, "get /%c3%a9/...?%e2%82%ac http/1.1"},
      {"a byte over 0x7f", target("/\x80")},
      {"overlong UTF-8", target("/\xc0\xaf")},
      {"half a character", target("/\xe2\x82?a")},
      {"DEL", target("/\x7f")},
      {"absolute", target("http://a/b?c"), {200}, "get /b?c http/1.1\r\nhost: a\r\n"},
      {"absolute without a path", target("http://a"), {200}, "get / http/1.1"},
      {"absolute with a query only", target("http://a?x"), {200}, "get /?x http/1.1"},
      {"absolute, upper case scheme", target("HTTP://a/"), {200}, "get / http/1.1"},
      {"absolute with another host", target("http://b/")},
      {"absolute without a host", target("http:///a")},
      {"absolute with user", target("http://u@a/")},
      {"absolute with user and password", target("http://a:b@a/")},
      {"absolute with a bad port", target("http://a:x/")},
      {"absolute with a large port", target("http://a:65536/")},
      {"absolute with an empty port", target("http://a:/")},
      {"absolute with a fragment", target("http://a/#b")},
      {"absolute with a backslash", target("http://a\\b/")},
      {"ftp", target("ftp://a/")},
      {"file", target("file:///etc/passwd")},
      {"javascript", target("javascript:alert(1)")},
      {"no scheme", target("://a/")},
      {"scheme without slashes", target("http:a")},
      {"OPTIONS star", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {200}, "options * http/1.1"},
  });
}

TEST_CASE("every control character in a target is refused", "[request]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases;
  for (int c = 0; c <= 0x20; ++c) {
    const std::string bytes = "/a" + std::string(1, static_cast<char>(c)) + "b";
    cases.push_back({"byte " + std::to_string(c), target(bytes)});
    cases.push_back({"query byte " + std::to_string(c), target("/?" + bytes)});
  }
  corpus.run(cases);
}

TEST_CASE("heads over a limit", "[request]") {
  RequestCorpus corpus;
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "X-" + std::to_string(i) + ": v\r\n";
  corpus.run({
      {"a target of 16 KiB", target("/" + std::string(16 * 1024 - 1, 'a')), {200}, "get /aaa"},
      {"a target over 16 KiB", target("/" + std::string(16 * 1024, 'a')), {414}},
      {"an endless target", "GET /" + std::string(40'000, 'a'), {414}},
      {"100 fields", get(fields), {200}, "x-98: v"},
      {"101 fields", get(fields + "X-99: v\r\n"), {431}},
      {"a head of nearly 32 KiB", get("X: " + std::string(32'000, 'a') + "\r\n"), {200}},
      {"a head over 32 KiB", get("X: " + std::string(33'000, 'a') + "\r\n"), {431}},
      {"an endless value", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70'000, 'a'), {431}},
      {"an endless name", "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(70'000, 'a'), {431}},
      {"an endless method", std::string(70'000, 'A'), {400, 431}},
  });
}
