// Field lines and the Host field: RFC 9112 §5, RFC 9110 §5, §7.2.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

namespace {
std::string host(const std::string& value) { return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n"; }
}  // namespace

TEST_CASE("field names", "[fields]") {
  RequestCorpus corpus;
  corpus.run({
      {"odd token", get("X!#$%&'*+.^`|~9: v\r\n"), {200}, "x!#$%&'*+.^`|~9: v"},
      {"a space before the colon", get("X-A : v\r\n")},
      {"a tab before the colon", get("X-A\t: v\r\n")},
      {"a space within", get("X A: v\r\n")},
      {"empty", get(": v\r\n")},
      {"only a colon", get(":\r\n")},
      {"no colon", get("X-A\r\n")},
      {"a word without colon", get("X-A v\r\n")},
      {"bracket", get("X(A): v\r\n")},
      {"comma", get("X,A: v\r\n")},
      {"quote", get("\"X\": v\r\n")},
      {"slash", get("X/A: v\r\n")},
      {"at", get("X@A: v\r\n")},
      {"high byte", get("X\xc4: v\r\n")},
      {"NUL", get("X\0A: v\r\n"s)},
      {"DEL", get("X\x7f: v\r\n")},
      {"bare CR within", get("X\rA: v\r\n")},
      {"a folded line", get("X-A: v\r\n w\r\n")},
      {"a line folded by a tab", get("X-A: v\r\n\tw\r\n")},
      {"a fold with nothing in it", get("X-A: v\r\n \r\n")},
      {"a space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"a folded Host", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"},
      {"a folded framing field", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
      {"underscores are kept", get("X_A: v\r\nX-B: w\r\n"), {200}, "x_a: v"},
      {"a length with an underscore is dropped", get("Content_Length: 5\r\n"), {200}, "host: a", "content_length"},
      {"a coding with an underscore is dropped", get("Transfer_Encoding: chunked\r\n"), {200}, "host: a", "transfer_"},
      {"a Host of underscores is no host", "GET / HTTP/1.1\r\nHost: a\r\nHo_st: b\r\n\r\n", {200}, "host: a\r\n"},
  });
}

TEST_CASE("long field names smuggle nothing", "[fields]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases;
  for (const std::size_t size : {255U, 256U, 257U, 270U, 65535U, 65536U, 65537U}) {
    const std::string name = std::string(size - 14, 'a') + "Content-Length";
    const std::vector<int> status = size < 30'000 ? std::vector<int>{200} : std::vector<int>{400, 431};
    cases.push_back({"at the end, " + std::to_string(size), get(name + ": 34\r\n"), status});
    cases.push_back({"in front, " + std::to_string(size),
                     get("Content-Length" + std::string(size - 14, 'a') + ": 34\r\n"), status});
    cases.push_back(
        {"with a colon, " + std::to_string(size), get(std::string(size, 'a') + "Content-Length:0 : x\r\n"), status});
  }
  corpus.run(cases);
}

TEST_CASE("every control character in a value is refused", "[fields]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases;
  for (int c = 0; c < 0x20; ++c) {
    if (c == '\t') continue;
    const std::string bytes(1, static_cast<char>(c));
    cases.push_back({"within " + std::to_string(c), get("X-A: v" + bytes + "w\r\n")});
    cases.push_back({"in front " + std::to_string(c), get("X-A: " + bytes + "w\r\n")});
    cases.push_back({"behind " + std::to_string(c), get("X-A: v" + bytes + "\r\n")});
  }
  cases.push_back({"DEL", get("X-A: v\x7fw\r\n")});
  corpus.run(cases);
}

TEST_CASE("every control character in a name is refused", "[fields]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases;
  for (int c = 0; c <= 0x20; ++c) {
    cases.push_back({"byte " + std::to_string(c), get("X-A" + std::string(1, static_cast<char>(c)) + "B: v\r\n")});
  }
  corpus.run(cases);
}

TEST_CASE("values", "[fields]") {
  RequestCorpus corpus;
  corpus.run({
      {"empty", get("X-A:\r\n"), {200}, "x-a:"},
      {"outer blanks go", get("X-A: \t v \t \r\n"), {200}, "x-a: v\r\n"},
      {"no blank", get("X-A:v\r\n"), {200}, "x-a: v\r\n"},
      {"a tab within stays", get("X-A: v\tw\r\n"), {200}, "x-a: v\tw\r\n"},
      {"bytes over 0x7f stay", get("X-A: \xc3\xa9\xff\r\n"), {200}, "x-a: \xc3\xa9\xff\r\n"},
      {"two lines stay two", get("X-A: 1\r\nX-A: 2\r\n"), {200}, "x-a: 1\r\nx-a: 2\r\n"},
      {"a bare LF ends nothing", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"},
      {"a bare LF ends no head", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"CR CR LF", get("X-A: v\r\r\n")},
      {"LF CR", get("X-A: v\n\r\n")},
  });
}

TEST_CASE("the Host field", "[fields]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases = {
      {"none", "GET / HTTP/1.1\r\n\r\n"},
      {"two", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"two that are equal", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"two in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"two with another case", "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"},
      {"a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
      {"with a port", host("a.example:8080"), {200}, "host: a.example:8080\r\n"},
      {"IPv4", host("127.0.0.1"), {200}, "host: 127.0.0.1\r\n"},
      {"IPv6", host("[::1]:80"), {200}, "host: [::1]:80\r\n"},
      {"kept as sent", host("A.Example"), {200}, "host: a.example\r\n"},
      {"nominated by Connection it stays", get("Connection: host\r\n"), {200}, "host: a\r\n"},
      {"absolute with a bad host field", "GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {"absolute without a host field", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"absolute with two", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
  };
  for (const char* bad :
       {"",       " ",       "a b",       "a/b",   "a\\b",     "a?b",  "a#b",   "u@a",   "a:b",   "a:80:80",
        "a:",     "a:99999", "a:-1",      "a:+80", "a: 80",    ":80",  "[::1",  "::1",   "[::g]", "[]",
        "[::1]x", "[::1]:",  "[1.2.3.4]", "a%00b", "a%zz",     "a%2",  "a%20b", "a%0db", "a\xff", "\"a\"",
        "<a>",    "a|b",     "a^b",       "a{b}",  "http://a", "a\tb", "a`b"}) {
    cases.push_back({"bad", host(bad)});
  }
  corpus.run(cases);
}
