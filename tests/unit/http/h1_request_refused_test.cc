// Requests that a strict parser refuses (RFC 9112 §2-§6), each whole, byte by byte and cut.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/http/cuts.h"

namespace albatross::http_test {
namespace {

void check_refused(const std::string& bytes, Cause cause) {
  INFO(escaped(bytes));
  CHECK(same_however_cut({}, bytes).cause == cause);
}

std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }
std::string with_field(std::string_view field) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}
std::string post_with(std::string_view fields) {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
}

constexpr Cause kBad = Cause::kMalformedRequest;

}  // namespace

TEST_CASE("request lines that are not one are refused") {
  for (const char* line : {"GET",
                           "GET ",
                           "GET /",
                           "GET / ",
                           "GET  / HTTP/1.1",
                           "GET /  HTTP/1.1",
                           "GET / HTTP/1.1 ",
                           " GET / HTTP/1.1",
                           "\tGET / HTTP/1.1",
                           "GET\t/ HTTP/1.1",
                           "GET /\tHTTP/1.1",
                           "GET / HTTP/1.1\t",
                           "/ HTTP/1.1",
                           " / HTTP/1.1",
                           "GET / HTTP",
                           "GET / HTTP/",
                           "GET / HTTP/1",
                           "GET / HTTP/1.",
                           "GET / HTTP/.1",
                           "GET / HTTP/1.10",
                           "GET / HTTP/11.1",
                           "GET / HTTP/01.1",
                           "GET / HTTP/1.01",
                           "GET / HTTP/1,1",
                           "GET / HTTP/1 .1",
                           "GET / http/1.1",
                           "GET / Http/1.1",
                           "GET / HTTPS/1.1",
                           "GET / HTTP 1.1",
                           "GET / XTTP/1.1",
                           "GET / HTTP/+1.1",
                           "GET / HTTP/1.-1",
                           "GET / HTTP/x.y",
                           "GET / HTTP/1.1 x",
                           "GET / x HTTP/1.1",
                           "GET /a b HTTP/1.1",
                           "G@T / HTTP/1.1",
                           "G(T / HTTP/1.1",
                           "G:T / HTTP/1.1",
                           "G/T / HTTP/1.1",
                           "\"GET\" / HTTP/1.1",
                           "G,T / HTTP/1.1",
                           "G[T / HTTP/1.1",
                           "{GET} / HTTP/1.1",
                           ": / HTTP/1.1"}) {
    check_refused(with_line(line), kBad);
  }
}

TEST_CASE("line ends other than CRLF are refused") {
  for (const char* bytes :
       {"GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", "GET / HTTP/1.1\n\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nGET / HTTP/1.1\nHost: a\r\n\r\n"}) {
    check_refused(bytes, kBad);
  }
}

TEST_CASE("every byte that is no visible character is refused in a target") {
  for (int c = 0; c < 256; ++c) {
    if (c > 0x20 && c < 0x7f && c != '#') continue;
    check_refused(with_line("GET /a" + std::string(1, static_cast<char>(c)) + "b HTTP/1.1"), kBad);
  }
}

TEST_CASE("every byte that is no token character is refused in a method") {
  for (int c = 0; c < 256; ++c) {
    std::string one(1, static_cast<char>(c));
    if (is_token(one) || c == ' ') continue;
    check_refused(with_line("G" + one + "T / HTTP/1.1"), kBad);
  }
}

TEST_CASE("every byte that is no token character is refused in a field name") {
  for (int c = 0; c < 256; ++c) {
    std::string one(1, static_cast<char>(c));
    if (is_token(one) || c == ':') continue;
    check_refused(with_field("X" + one + "Y: v"), kBad);
    check_refused(with_field(one + "Y: v"), kBad);
    check_refused(with_field("X" + one + ": v"), kBad);
  }
}

TEST_CASE("every control character but the tab is refused in a field value") {
  for (int c = 0; c < 0x80; ++c) {
    if ((c >= 0x20 && c != 0x7f) || c == '\t') continue;
    std::string one(1, static_cast<char>(c));
    check_refused(with_field("X: a" + one + "b"), kBad);
    check_refused(with_field("X: " + one + "b"), kBad);
    check_refused(with_field("X:" + one), kBad);
    check_refused(with_field("X: 0123456789abcdef0123456789abcdef" + one + "0123456789abcdef"), kBad);
  }
}

TEST_CASE("field lines that are not one are refused") {
  for (const char* field : {"X", "X y", ": v", ":", "X : v", "X\t: v", " X: v", "\tX: v", "X: a\r\n b", "X: a\r\n\tb",
                            "X: a\r\n ", "Host : b", "Content-Length : 5", "Transfer-Encoding : chunked",
                            "Transfer-Encoding: chunked\r\n ,identity", "\x80: v"}) {
    check_refused(with_field(field), kBad);
  }
  // The first field line folded into nothing.
  check_refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", kBad);
  check_refused("GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n", kBad);
}

TEST_CASE("versions that are not served get their own refusal") {
  for (const char* line : {"GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/1.9", "GET / HTTP/2.0", "GET / HTTP/2.1",
                           "GET / HTTP/3.0", "GET / HTTP/9.9"}) {
    check_refused(with_line(line), Cause::kUnsupportedVersion);
  }
  check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Cause::kUnsupportedVersion);
  check_refused("PRI / HTTP/1.1\r\nHost: a\r\n\r\n", kBad);
}

TEST_CASE("CONNECT is refused") {
  check_refused("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Cause::kNotImplemented);
  check_refused("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", Cause::kNotImplemented);
}

TEST_CASE("targets that name nothing here are refused") {
  for (const char* target : {"a",
                             "index.html",
                             "?q",
                             "../a",
                             "*a",
                             "**",
                             "/#f",
                             "/a#",
                             "#",
                             "/a?b#c",
                             "http:/a",
                             "http:a",
                             "http://",
                             "http:///p",
                             "http://?q",
                             "http://u@a/",
                             "http://u:p@a/",
                             "http://a:b/",
                             "http://a:65536/",
                             "http://a b/",
                             "http://[::1/",
                             "http://[]/",
                             "http://[1.2.3.4]/",
                             "http://a/#f",
                             "ftp://a/",
                             "file:///etc",
                             "ws://a/",
                             "javascript:alert",
                             "httpx://a/"}) {
    check_refused(with_line("GET " + std::string(target) + " HTTP/1.1"), kBad);
  }
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH", "options", "X"})
    check_refused(with_line(std::string(method) + " * HTTP/1.1"), kBad);
}

TEST_CASE("the host is required, single and a host") {
  check_refused("GET / HTTP/1.1\r\n\r\n", kBad);
  check_refused("GET / HTTP/1.1\r\nX: y\r\n\r\n", kBad);
  check_refused("GET http://a/ HTTP/1.1\r\n\r\n", kBad);
  for (const char* fields : {"Host: a\r\nHost: a",
                             "Host: a\r\nHost: b",
                             "Host: a\r\nX: y\r\nhOST: a",
                             "Host:",
                             "Host: ",
                             "Host: a b",
                             "Host: a, b",
                             "Host: u@a",
                             "Host: a/b",
                             "Host: http://a",
                             "Host: a:b",
                             "Host: a:65536",
                             "Host: a:123456",
                             "Host: a:80:90",
                             "Host: a:-1",
                             "Host: a:+1",
                             "Host: :80",
                             "Host: a#b",
                             "Host: a?b",
                             "Host: a\\b",
                             "Host: [::1",
                             "Host: ::1",
                             "Host: [::1]x",
                             "Host: [::1]:x",
                             "Host: [1.2.3.4]",
                             "Host: []",
                             "Host: [::g]",
                             "Host: a%",
                             "Host: a%2",
                             "Host: a%zz",
                             "Host: a%00",
                             "Host: a%20b",
                             "Host: a%0d",
                             "Host: a\"",
                             "Host: <a>",
                             "Host: a^b",
                             "Host: a|b",
                             "Host: {a}",
                             "Host: a`b",
                             "Host: \xc3\xa9"}) {
    check_refused("GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n\r\n", kBad);
    check_refused("GET / HTTP/1.0\r\n" + std::string(fields) + "\r\n\r\n", kBad);
  }
  for (const char* target : {"http://b/", "http://a:81/", "http://a./", "https://b/x"}) {
    check_refused("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n", kBad);
  }
}

TEST_CASE("content lengths that are no single number are refused") {
  for (const char* value : {"",
                            "+5",
                            "-5",
                            "-0",
                            "0x5",
                            "5 5",
                            "5,6",
                            "5, 6",
                            "5;",
                            "5.0",
                            "5e1",
                            "five",
                            "5 ,",
                            ",5",
                            "٣",
                            "\"5\"",
                            "1_000",
                            "9223372036854775808",
                            "18446744073709551615",
                            "18446744073709551616",
                            "18446744073709551621",
                            "99999999999999999999999999999999999999",
                            "5\t5",
                            "0 0",
                            "\v5"}) {
    check_refused(post_with("Content-Length: " + std::string(value)), kBad);
  }
  check_refused(post_with("Content-Length: 5\r\nContent-Length: 6"), kBad);
  check_refused(post_with("Content-Length: 5\r\nX: y\r\ncontent-length: 0"), kBad);
}

TEST_CASE("transfer codings but exactly one chunked are refused") {
  const std::pair<const char*, Cause> cases[] = {{"", kBad},
                                                 {"identity", kBad},
                                                 {"Identity", kBad},
                                                 {"gzip", Cause::kNotImplemented},
                                                 {"xchunked", Cause::kNotImplemented},
                                                 {"chunkedx", Cause::kNotImplemented},
                                                 {"chunked, identity", Cause::kNotImplemented},
                                                 {"identity, chunked", Cause::kNotImplemented},
                                                 {"chunked, chunked", Cause::kNotImplemented},
                                                 {"gzip, chunked", Cause::kNotImplemented},
                                                 {"chunked, gzip", Cause::kNotImplemented},
                                                 {"chunked;q=1", Cause::kNotImplemented},
                                                 {"chunked ; x", Cause::kNotImplemented},
                                                 {"\"chunked\"", Cause::kNotImplemented},
                                                 {"'chunked'", Cause::kNotImplemented},
                                                 {",chunked", Cause::kNotImplemented},
                                                 {"chunked,", Cause::kNotImplemented},
                                                 {"chun ked", Cause::kNotImplemented},
                                                 {"deflate", Cause::kNotImplemented},
                                                 {"compress, chunked", Cause::kNotImplemented},
                                                 {"trailers", Cause::kNotImplemented},
                                                 {"\xa0"
                                                  "chunked",
                                                  Cause::kNotImplemented},
                                                 {"chunked\xa0", Cause::kNotImplemented},
                                                 {"chunked\v", kBad},
                                                 {"\fchunked", kBad}};
  for (auto [value, cause] : cases) check_refused(post_with("Transfer-Encoding: " + std::string(value)), cause);
  check_refused(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), kBad);
  check_refused(post_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), kBad);
  check_refused(post_with("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"), kBad);
  check_refused(post_with("Transfer-Encoding:\r\nTransfer-Encoding: chunked"), kBad);
}

TEST_CASE("a length and a transfer coding together are refused") {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nTransfer-Encoding: chunked", "Transfer-Encoding: identity\r\nContent-Length: 5",
        "Transfer-Encoding:\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: gzip",
        "Content-Length: x\r\nTransfer-Encoding: chunked",
        "Connection: Transfer-Encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        "Connection: Content-Length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"}) {
    check_refused(post_with(fields), kBad);
  }
}

TEST_CASE("a transfer coding in HTTP/1.0 is refused") {
  for (const char* value : {"chunked", "identity", "gzip", ""}) {
    check_refused("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: " + std::string(value) + "\r\n\r\n0\r\n\r\n", kBad);
  }
}

TEST_CASE("expectations but 100-continue are refused") {
  for (const char* value : {"", "200-ok", "100", "100-continue, 100-continue", "100-continue;q=1", "x"}) {
    check_refused(post_with("Content-Length: 5\r\nExpect: " + std::string(value)), Cause::kExpectationFailed);
  }
}

}  // namespace albatross::http_test
