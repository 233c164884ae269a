// Responses good and bad (RFC 9112 §4, §6; RFC 9110 §15), each whole, byte by byte and cut.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/http/cuts.h"

namespace albatross::http_test {
namespace {

Setting answer_to(Method m) {
  Setting s;
  s.role = Role::kClient;
  s.request = m;
  return s;
}
const Setting kGet = answer_to(Method::kGet);

void check_refused(const std::string& bytes) {
  INFO(escaped(bytes));
  Run r = same_however_cut(kGet, bytes);
  CHECK(r.cause == Cause::kUpstreamMalformed);
  CHECK(r.heads == 0);
}
std::string with_field(std::string_view field) { return "HTTP/1.1 200 OK\r\n" + std::string(field) + "\r\n\r\n"; }

Head parsed(const std::string& text, Method m, ParsedHead& rows) {
  static std::string bytes;  // what the head's views look into, until the next call
  bytes = text;
  INFO(escaped(bytes));
  CHECK(same_however_cut(answer_to(m), bytes).cause == Cause::kNone);
  REQUIRE(parse_response_head(bytes, HeadLimits{}, m, false, rows).state == ParseState::kComplete);
  return rows.head;
}

}  // namespace

TEST_CASE("status lines that are not one are refused") {
  for (const char* line : {"HTTP/1.1",
                           "HTTP/1.1 ",
                           "HTTP/1.1 2",
                           "HTTP/1.1 20",
                           "HTTP/1.1 20 OK",
                           "HTTP/1.1 2000 OK",
                           "HTTP/1.1 0200 OK",
                           "HTTP/1.1 2x0 OK",
                           "HTTP/1.1 -20 OK",
                           "HTTP/1.1 +20 OK",
                           "HTTP/1.1  200 OK",
                           "HTTP/1.1\t200 OK",
                           " HTTP/1.1 200 OK",
                           "HTTP/1.1 200\tOK",
                           "HTTP/1.1 099 OK",
                           "HTTP/1.1 000 OK",
                           "HTTP/1.1 600 OK",
                           "HTTP/1.1 999 OK",
                           "HTTP/1.2 200 OK",
                           "HTTP/2.0 200 OK",
                           "HTTP/0.9 200 OK",
                           "HTTP/1.10 200 OK",
                           "HTTP/01.1 200 OK",
                           "http/1.1 200 OK",
                           "HTTP 200 OK",
                           "ICY 200 OK",
                           "HTTP/1.1 200OK",
                           "200 OK",
                           "HTTP/1.1 OK",
                           "<html>",
                           "GET / HTTP/1.1",
                           "HTTP/1.1 200 a\x01"
                           "b",
                           "HTTP/1.1 200 a\x7f",
                           "HTTP/1.1 200 a\rb",
                           "HTTP/1.1 2\xd9\xa3"
                           "0 OK"}) {
    check_refused(std::string(line) + "\r\nContent-Length: 0\r\n\r\n");
  }
  check_refused("\r\nHTTP/1.1 200 OK\r\n\r\n");
  check_refused("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n");
  check_refused("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n");
  check_refused("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n");
  check_refused(std::string("HTTP/1.1 200 O\0K\r\n\r\n", 20));
}

TEST_CASE("field lines of responses are as strict as those of requests") {
  for (const char* field : {"X", "X y", ": v", "X : v", " X: v", "X: a\r\n b", "X: a\r\n\tb", "X\x80: v", "X: a\x01",
                            "X: a\x7f", "X: a\rb", "X(: v"})
    check_refused(with_field(field));
}

TEST_CASE("framing of responses that could be read in two ways is refused") {
  for (const char* field :
       {"Content-Length: ", "Content-Length: +5", "Content-Length: -5", "Content-Length: 5, 6", "Content-Length: 0x5",
        "Content-Length: 9223372036854775808", "Content-Length: 18446744073709551616",
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: ", "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip", "Transfer-Encoding: xchunked", "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity", "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"}) {
    check_refused(with_field(field));
  }
  check_refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST_CASE("a status line may lack its reason, or have any text") {
  ParsedHead rows;
  for (auto [line, reason] : {std::pair<const char*, const char*>{"HTTP/1.1 200", ""},
                              {"HTTP/1.1 200 ", ""},
                              {"HTTP/1.1 200 OK", "OK"},
                              {"HTTP/1.1 200  x ", " x "},
                              {"HTTP/1.1 200 a\tb \xc3\xa9", "a\tb \xc3\xa9"},
                              {"HTTP/1.0 200 Fine", "Fine"}}) {
    CHECK(parsed(std::string(line) + "\r\nContent-Length: 0\r\n\r\n", Method::kGet, rows).reason == reason);
  }
  for (int status : {200, 204, 299, 304, 404, 499, 500, 599}) {
    CHECK(parsed("HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n\r\n", Method::kGet, rows).status ==
          status);
  }
}

TEST_CASE("HEAD, 204 and 304 have no body whatever they say") {
  ParsedHead rows;
  for (const char* framing : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    for (auto [status, method] :
         {std::pair{"200", Method::kHead}, {"204", Method::kGet}, {"304", Method::kGet}, {"404", Method::kHead}}) {
      std::string bytes = "HTTP/1.1 " + std::string(status) + " x\r\n" + framing + "\r\n";
      CAPTURE(bytes);
      Run r = same_however_cut(answer_to(method), bytes);
      CHECK(r.complete);
      CHECK(r.ends == 1);
      Head h = parsed(bytes, method, rows);
      CHECK(h.body == BodyLength{});
      CHECK(h.declared_length == (framing[0] == 'C' && status[0] != '2'          ? 5
                                  : framing[0] == 'C' && method == Method::kHead ? 5
                                                                                 : -1));
      // The five bytes are nobody's.
      Run extra = run(answer_to(method), bytes + "hello");
      CHECK(extra.bodies == std::vector<std::string>{""});
      CHECK(extra.text.find("left [hello]") != std::string::npos);
    }
  }
}

TEST_CASE("bodies are framed by a length, chunked, or the end of the connection") {
  Run r = same_however_cut(kGet, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(r.complete);
  CHECK(r.bodies[0] == "hello");
  r = same_however_cut(
      kGet, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\nSet-Cookie: z\r\n\r\n");
  CHECK(r.complete);
  CHECK(r.bodies[0] == "hello");
  CHECK(r.text.find("trailers\n  X=[y]\n") != std::string::npos);
  CHECK(r.text.find("Set-Cookie") == std::string::npos);
  Setting closing = kGet;
  closing.eof = true;
  for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
    r = same_however_cut(closing, std::string(version) + " 200 OK\r\n\r\nhello");
    CHECK(r.complete);
    CHECK(r.ends == 1);
    CHECK(r.bodies[0] == "hello");
  }
}

TEST_CASE("a response that is cut short never ends well") {
  Setting closing = kGet;
  closing.eof = true;
  for (std::string whole : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      Run r = run(closing, whole.substr(0, n));
      CAPTURE(whole.substr(0, n));
      CHECK(r.cause == (n < whole.find("\r\n\r\n") + 4 ? Cause::kUpstreamClosed : Cause::kUpstreamTruncated));
      CHECK(r.ends == 0);
    }
    CHECK(run(closing, whole).cause == Cause::kNone);
  }
}

TEST_CASE("informational responses come before the answer, but not without end") {
  std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  Run r = same_however_cut(kGet, "HTTP/1.1 100 Continue\r\n\r\n" + hints + answer);
  CHECK(r.heads == 3);
  CHECK(r.ends == 1);
  CHECK(r.complete);
  std::string many;
  for (int i = 0; i < 16; ++i) many += hints;
  CHECK(run(kGet, many + answer).complete);
  CHECK(run(kGet, many + hints + answer).cause == Cause::kUpstreamMalformed);
  CHECK(run(kGet, single_bytes(many + hints + answer)).cause == Cause::kUpstreamMalformed);
  // They have no body, whatever they say.
  CHECK(run(kGet, "HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n" + answer).complete);
}

TEST_CASE("a 101 is taken only by a request that asked for it") {
  std::string yes = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  check_refused(yes);
  Setting asked = kGet;
  asked.upgrade = true;
  Run r = same_however_cut(asked, yes + "\x81\x02hi");
  CHECK(r.cause == Cause::kNone);
  CHECK(r.ends == 0);
  CHECK(r.bodies == std::vector<std::string>{"\x81\x02hi"});
  CHECK(same_however_cut(asked, "HTTP/1.1 101 x\r\n\r\n").cause == Cause::kUpstreamMalformed);
  CHECK(same_however_cut(asked, "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").cause ==
        Cause::kUpstreamMalformed);
  CHECK(same_however_cut(asked, "HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\nno").complete);
}

TEST_CASE("the server's Connection and Keep-Alive are read and go no further") {
  ParsedHead rows;
  Head h = parsed(
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, x-y\r\nX-Y: z\r\nKeep-Alive: max=5, timeout=7\r\nContent-Length: "
      "0\r\nX: y\r\n\r\n",
      Method::kGet, rows);
  CHECK(h.keep_alive);
  CHECK(h.keep_alive_timeout == 7);
  std::string live;
  for (std::uint32_t i = 0; i < rows.count; ++i) live += rows.rows[i].removed ? "" : std::string(rows.rows[i].name());
  CHECK(live == "X");
  CHECK_FALSE(
      parsed("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", Method::kGet, rows).keep_alive);
  CHECK_FALSE(parsed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Method::kGet, rows).keep_alive);
  CHECK(
      parsed("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", Method::kGet, rows).keep_alive);
  for (const char* value : {"timeout=", "timeout=x", "timeout=-1", "timeout=99999999999999999999", "timeout", ""}) {
    CHECK(parsed("HTTP/1.1 200 OK\r\nKeep-Alive: " + std::string(value) + "\r\nContent-Length: 0\r\n\r\n", Method::kGet,
                 rows)
              .keep_alive_timeout <= 86400);
  }
}

}  // namespace albatross::http_test
