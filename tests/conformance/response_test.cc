// What servers may answer: RFC 9112 §4, §6.3, §7; anything else is a 502, or visibly cut short, and never reaches
// another client.
#include <mutex>

#include "tests/conformance/corpus.h"
#include "tests/support/failure.h"

using namespace albatross::test;

namespace {

enum class Outcome { kBadGateway, kCut, kWhole };

struct ResponseCase {
  std::string name;
  std::string bytes;
  Outcome outcome = Outcome::kBadGateway;
  std::string body{};
  std::string method = "GET";
  bool ends = false;  // the server closes behind the bytes
};

// Answers "/case" with the bytes of the case, everything else properly.
class ResponseCorpus {
 public:
  ResponseCorpus()
      : upstream_([this](FakeConnection& c) { serve(c); }),
        proxy_(Setup{.servers = {upstream_.address()}, .log = false}) {}

  void run(const std::vector<ResponseCase>& cases) {
    for (const ResponseCase& c : cases) {
      INFO(c.name << ": " << shown(c.bytes));
      {
        std::lock_guard lock(lock_);
        case_ = c;
      }
      try {
        Client client(proxy_.port());
        check(c, client);
        // The next client gets what it asked for.
        Client next(proxy_.port());
        const Message answer = next.get("/clean");
        CHECK(answer.status() == 200);
        CHECK(answer.body == "clean");
      } catch (const std::exception& e) {
        FAIL_CHECK(e.what());
      }
    }
  }

 private:
  void serve(FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      if (m.target() != "/case") {
        c.respond(200, "clean");
        continue;
      }
      ResponseCase now;
      {
        std::lock_guard lock(lock_);
        now = case_;
      }
      c.write(now.bytes);
      if (now.ends) return;
    }
  }

  void check(const ResponseCase& c, Client& client) {
    client.send(c.method + " /case HTTP/1.1\r\nHost: a\r\n\r\n");
    Message answer;
    try {
      answer = client.read_response(c.method == "HEAD");
    } catch (const Truncated&) {
      CHECK(c.outcome == Outcome::kCut);
      return;
    }
    INFO("answer: " << answer.raw);
    CHECK(c.outcome != Outcome::kCut);
    if (c.outcome == Outcome::kBadGateway) {
      CHECK(answer.status() == 502);
    } else {
      CHECK(answer.status() < 500);
      CHECK(answer.body == c.body);
    }
    CHECK(answer.count("content-length") + answer.count("transfer-encoding") <= 1);
    CHECK(client.held().empty());
  }

  std::mutex lock_;
  ResponseCase case_;
  FakeUpstream upstream_;
  TestProxy proxy_;
};

constexpr Outcome kBad = Outcome::kBadGateway;
constexpr Outcome kCut = Outcome::kCut;
constexpr Outcome kWhole = Outcome::kWhole;

std::string ok(const std::string& fields, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}

}  // namespace

TEST_CASE("status lines", "[response]") {
  ResponseCorpus corpus;
  const std::string rest = "\r\nContent-Length: 2\r\n\r\nok";
  std::vector<ResponseCase> cases = {
      {"plain", "HTTP/1.1 200 OK" + rest, kWhole, "ok"},
      {"no reason", "HTTP/1.1 200 " + rest, kWhole, "ok"},
      {"no reason, no space", "HTTP/1.1 200" + rest, kWhole, "ok"},
      {"a long reason", "HTTP/1.1 200 " + std::string(1000, 'a') + rest, kWhole, "ok"},
      {"a reason of high bytes", "HTTP/1.1 200 \xc3\xa9" + rest, kWhole, "ok"},
      {"an unknown status", "HTTP/1.1 299 Odd" + rest, kWhole, "ok"},
      {"HTTP/1.0", "HTTP/1.0 200 OK" + rest, kWhole, "ok"},
      {"a control character in the reason", "HTTP/1.1 200 O\x01K" + rest},
      {"NUL in the reason", "HTTP/1.1 200 O\0K"s + rest},
      {"a bare CR in the reason", "HTTP/1.1 200 O\rK" + rest},
      {"a bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok"},
      {"all bare LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
  };
  for (const char* bad : {"",
                          " ",
                          "HTTP/1.1",
                          "HTTP/1.1 ",
                          "HTTP/1.1 20",
                          "HTTP/1.1 20 OK",
                          "HTTP/1.1 2000 OK",
                          "HTTP/1.1 099 X",
                          "HTTP/1.1 99 X",
                          "HTTP/1.1 000 X",
                          "HTTP/1.1 600 X",
                          "HTTP/1.1 999 X",
                          "HTTP/1.1 2x0 OK",
                          "HTTP/1.1 -20 OK",
                          "HTTP/1.1 +20 OK",
                          "HTTP/1.1  200 OK",
                          "HTTP/1.1\t200 OK",
                          "HTTP/1.1 200OK",
                          "HTTP/1.1 200\tOK",
                          "HTTP/1.2 200 OK",
                          "HTTP/2.0 200 OK",
                          "HTTP/2 200 OK",
                          "HTTP/0.9 200 OK",
                          "HTTP/1.10 200 OK",
                          "HTTP/1 200 OK",
                          "http/1.1 200 OK",
                          "ICY 200 OK",
                          " HTTP/1.1 200 OK",
                          "\r\nHTTP/1.1 200 OK",
                          "HTTP/1.1 OK 200",
                          "200 OK",
                          "<html>",
                          "SSH-2.0-x",
                          "HTTP/1.1 0x1 OK",
                          "HTTP/1.1 200.1 OK"}) {
    cases.push_back({"bad", bad + rest});
  }
  corpus.run(cases);
}

TEST_CASE("response fields", "[response]") {
  ResponseCorpus corpus;
  std::vector<ResponseCase> cases;
  for (const std::string& bad :
       {"X y: z"s, "X : z"s, ": z"s, "X"s, " X: z"s, "X: a\r\n b"s, "X: a\r\n\tb"s, "X(: z"s, "X: a\rb"s, "X: a\0b"s,
        "X\0: a"s, "X: a\x01"s, "X: \x7f"s, "X: a\nY: b"s, "X\x80: a"s, "\"X\": a"s}) {
    cases.push_back({"bad", ok(bad + "\r\nContent-Length: 2\r\n", "ok")});
  }
  cases.push_back({"a huge head", ok("X: " + std::string(100'000, 'a') + "\r\nContent-Length: 2\r\n", "ok")});
  std::string many;
  for (int i = 0; i < 500; ++i) many += "X-" + std::to_string(i) + ": v\r\n";
  cases.push_back({"many fields", ok(many + "Content-Length: 2\r\n", "ok")});
  cases.push_back({"a head without an end", "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'a'), kBad});
  cases.push_back({"a head that ends early", "HTTP/1.1 200 OK\r\nX: a\r\n", kBad, "", "GET", true});
  cases.push_back({"nothing", "", kBad, "", "GET", true});
  cases.push_back({"half a status line", "HTTP/1.1 2", kBad, "", "GET", true});
  corpus.run(cases);
}

TEST_CASE("response lengths", "[response]") {
  ResponseCorpus corpus;
  std::vector<ResponseCase> cases = {
      {"plain", ok("Content-Length: 2\r\n", "ok"), kWhole, "ok"},
      {"zeros in front", ok("Content-Length: 002\r\n", "ok"), kWhole, "ok"},
      {"zero", ok("Content-Length: 0\r\n", ""), kWhole, ""},
      {"too little, then the end", ok("Content-Length: 5\r\n", "ok"), kCut, "", "GET", true},
      {"nothing of it", ok("Content-Length: 5\r\n", ""), kCut, "", "GET", true},
      {"too much", ok("Content-Length: 2\r\n", "okHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), kWhole, "ok"},
      {"a stray line end", ok("Content-Length: 2\r\n", "ok\r\n"), kWhole, "ok"},
      {"twice, differing", ok("Content-Length: 2\r\nContent-Length: 3\r\n", "okk")},
      {"twice, equal", ok("Content-Length: 2\r\nContent-Length: 2\r\n", "ok")},
      {"with chunked", ok("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {"until the end", ok("", "all"), kWhole, "all", "GET", true},
      {"until the end, nothing", ok("", ""), kWhole, "", "GET", true},
  };
  for (const char* bad : {"", "+2", "-2", "0x2", "2 2", "2,2", "2, 2", "2;", "2.0", "a", "18446744073709551618",
                          "99999999999999999999999", "\"2\"", "2 x"}) {
    cases.push_back({"bad", ok("Content-Length: "s + bad + "\r\n", "ok")});
  }
  corpus.run(cases);
}

TEST_CASE("chunked responses", "[response]") {
  ResponseCorpus corpus;
  auto chunks = [](const std::string& body) { return ok("Transfer-Encoding: chunked\r\n", body); };
  std::vector<ResponseCase> cases = {
      {"plain", chunks("2\r\nok\r\n0\r\n\r\n"), kWhole, "ok"},
      {"extension", chunks("2;a=b\r\nok\r\n0;c\r\n\r\n"), kWhole, "ok"},
      {"trailers", chunks("2\r\nok\r\n0\r\nX: y\r\n\r\n"), kWhole, "ok"},
      {"upper case", ok("TRANSFER-ENCODING: Chunked\r\n", "2\r\nok\r\n0\r\n\r\n"), kWhole, "ok"},
      {"more behind", chunks("2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"), kWhole, "ok"},
      {"a bad trailer", chunks("2\r\nok\r\n0\r\nX y: z\r\n\r\n"), kCut},
      {"endless trailers", chunks("2\r\nok\r\n0\r\nX: " + std::string(100'000, 'a')), kCut},
      {"in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
  };
  const std::string whole = "5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n";
  for (std::size_t n = 0; n < whole.size(); ++n)
    cases.push_back({"cut off", chunks(whole.substr(0, n)), kCut, "", "GET", true});
  for (const std::string& bad :
       {"x\r\nok\r\n"s, "-1\r\nok\r\n"s, "2\nok\r\n"s, "2\r\nokk\r\n"s, "2\r\nok\n0\r\n\r\n"s, "2\r\nok\r\n0\n\n"s,
        "2\r\nok\r\n0\r\nX"s + "\r\n\r\n", "10000000000000000\r\nok"s, "2;\nok\r\n"s, "2;a\rb\r\nok\r\n"s,
        "\r\n2\r\nok\r\n"s, "2 \r\nok\r\n"s, "0x2\r\nok\r\n"s}) {
    cases.push_back({"bad", chunks(bad), kCut});
  }
  for (const char* bad : {"", "xchunked", "chunked, identity", "identity", "gzip", "gzip, chunked", "chunked, chunked",
                          "chunked;a", "\"chunked\""}) {
    cases.push_back({"another coding", ok("Transfer-Encoding: "s + bad + "\r\n", "2\r\nok\r\n0\r\n\r\n")});
  }
  cases.push_back(
      {"twice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\n\r\n")});
  corpus.run(cases);
}

TEST_CASE("responses that have no body", "[response]") {
  ResponseCorpus corpus;
  corpus.run({
      {"204", "HTTP/1.1 204 X\r\n\r\n", kWhole},
      {"204 with a length", "HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\n", kWhole},
      {"204 with a body", "HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\nevil", kWhole},
      {"204 with chunks", "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", kWhole},
      {"304 with a length", "HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\n", kWhole},
      {"304 with a body", "HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\nevil", kWhole},
      {"HEAD with a length", ok("Content-Length: 4\r\n", ""), kWhole, "", "HEAD"},
      {"HEAD with a body", ok("Content-Length: 4\r\n", "evil"), kWhole, "", "HEAD"},
      {"HEAD with chunked", ok("Transfer-Encoding: chunked\r\n", ""), kWhole, "", "HEAD"},
      {"HEAD without framing", ok("", ""), kWhole, "", "HEAD"},
      {"HEAD with a whole answer behind", ok("Content-Length: 0\r\n", ok("Content-Length: 4\r\n", "evil")), kWhole, "",
       "HEAD"},
  });
}

TEST_CASE("informational responses", "[response]") {
  ResponseCorpus corpus;
  const std::string last = ok("Content-Length: 2\r\n", "ok");
  std::string storm;
  for (int i = 0; i < 1000; ++i) storm += "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n";
  corpus.run({
      {"100 that nobody asked for", "HTTP/1.1 100 Continue\r\n\r\n" + last, kWhole, "ok"},
      {"102", "HTTP/1.1 102 X\r\n\r\n" + last, kWhole, "ok"},
      {"199", "HTTP/1.1 199 X\r\n\r\n" + last, kWhole, "ok"},
      {"103 with a length", "HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\n" + last, kWhole, "ok"},
      {"101 that nobody asked for", "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + last},
      {"101 without fields", "HTTP/1.1 101 X\r\n\r\n"},
      {"100 and then nothing", "HTTP/1.1 100 Continue\r\n\r\n", kBad, "", "GET", true},
      {"103 with a bad field", "HTTP/1.1 103 X\r\nX y: z\r\n\r\n" + last},
  });
  SECTION("a storm ends") { corpus.run({{"a thousand", storm + last, kBad}}); }
}
