// The chunked coding and trailers of requests: RFC 9112 §7.1.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

TEST_CASE("chunked bodies", "[chunked]") {
  RequestCorpus corpus;
  const std::string end = "0\r\n\r\n";
  corpus.run({
      {"plain", chunked("5\r\nabcde\r\n" + end), {200}, "abcde"},
      {"upper case", chunked("A\r\nabcdefghij\r\n" + end), {200}, "abcdefghij"},
      {"zeros in front", chunked("0005\r\nabcde\r\n000\r\n\r\n"), {200}, "abcde"},
      {"an extension", chunked("5;a=b\r\nabcde\r\n0;c\r\n\r\n"), {200}, "abcde", "a=b"},
      {"blanks before an extension", chunked("5 \t;a=b\r\nabcde\r\n" + end), {200}, "abcde", "a=b"},
      {"a quoted extension", chunked("5;a=\"b;c\"\r\nabcde\r\n" + end), {200}, "abcde", "b;c"},
      {"nothing", chunked(end), {200}, "transfer-encoding: chunked"},
      {"data that looks like chunks", chunked("7\r\n0\r\n\r\nGE\r\n" + end), {200}, "7\r\n0\r\n\r\nge\r\n"},
  });
}

TEST_CASE("malformed chunks", "[chunked]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases;
  for (const std::string& bad : {"\r\nabcde\r\n"s,
                                 " 5\r\nabcde\r\n"s,
                                 "\t5\r\nabcde\r\n"s,
                                 "+5\r\nabcde\r\n"s,
                                 "-5\r\nabcde\r\n"s,
                                 "0x5\r\nabcde\r\n"s,
                                 "5g\r\nabcde\r\n"s,
                                 "g\r\nabcde\r\n"s,
                                 "5 \r\nabcde\r\n"s,
                                 "5 5\r\nabcde\r\n"s,
                                 "5,\r\nabcde\r\n"s,
                                 "5.\r\nabcde\r\n"s,
                                 "5h\r\nabcde\r\n"s,
                                 "'5'\r\nabcde\r\n"s,
                                 "5\nabcde\r\n"s,
                                 "5\rabcde\r\n"s,
                                 "5\r\r\nabcde\r\n"s,
                                 "5\v\r\nabcde\r\n"s,
                                 "5\0\r\nabcde\r\n"s,
                                 "\0"
                                 "5\r\nabcde\r\n"s,
                                 "5;\nabcde\r\n"s,
                                 "5;a\nabcde\r\n"s,
                                 "5;a\rb\r\nabcde\r\n"s,
                                 "5;a\0b\r\nabcde\r\n"s,
                                 "5;\x01\r\nabcde\r\n"s,
                                 "5;\x7f\r\nabcde\r\n"s,
                                 "5\r\nabcdeX\r\n"s,
                                 "5\r\nabcde\n"s,
                                 "5\r\nabcde\r"s,
                                 "5\r\nabcde5\r\n"s,
                                 "5\r\nabcdeXX"s,
                                 "5\r\nabcd\r\n"s,
                                 "5\r\nabcdef\r\n"s,
                                 "0\r\nX"s,
                                 "0\n\n"s,
                                 "0\r\n\n"s,
                                 "0\r\r\n\r\n"s,
                                 "0\n\r\n"s,
                                 "0 \r\n\r\n"s,
                                 "0;\n\r\n"s,
                                 "10000000000000000\r\nabcde\r\n"s,
                                 "ffffffffffffffff\r\nabcde\r\n"s,
                                 "fffffffffffffffff\r\nabcde\r\n"s,
                                 "8000000000000000\r\nabcde\r\n"s,
                                 "100000000000000005\r\nabcde\r\n"s,
                                 "\xef\xbc\x95\r\nabcde\r\n"s,
                                 "5\x85\r\nabcde\r\n"s}) {
    cases.push_back({"bad", chunked(bad)});
    cases.push_back({"bad behind a good one", chunked("3\r\nabc\r\n" + bad)});
  }
  corpus.run(cases);
}

TEST_CASE("chunk extensions are bounded, each and in sum", "[chunked]") {
  RequestCorpus corpus;
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += "1;abcdefgh\r\na\r\n";
  corpus.run({
      {"one", chunked("5;" + std::string(100'000, 'a') + "\r\nabcde\r\n0\r\n\r\n"), {400, 413, 431}},
      {"blanks", chunked("5" + std::string(100'000, ' ') + ";a\r\nabcde\r\n0\r\n\r\n"), {400, 413, 431}},
      {"in sum", chunked(many + "0\r\n\r\n"), {400, 413, 431}},
  });
}

TEST_CASE("request trailers", "[chunked]") {
  RequestCorpus corpus;
  auto trailers = [](const std::string& t) { return chunked("3\r\nabc\r\n0\r\n" + t + "\r\n"); };
  std::string many;
  for (int i = 0; i < 150; ++i) many += "X-" + std::to_string(i) + ": v\r\n";
  corpus.run({
      {"plain", trailers("X-Sum: 1\r\n"), {200}, "\r\n0\r\nx-sum: 1\r\n\r\n"},
      {"two", trailers("X-A: 1\r\nX-B: 2\r\n"), {200}, "x-a: 1\r\nx-b: 2\r\n"},
      {"Content-Length", trailers("Content-Length: 9\r\nX-A: 1\r\n"), {200}, "x-a: 1", "content-length"},
      {"Transfer-Encoding", trailers("Transfer-Encoding: gzip\r\nX-A: 1\r\n"), {200}, "x-a: 1", "gzip"},
      {"Host", trailers("Host: evil\r\nX-A: 1\r\n"), {200}, "x-a: 1", "evil"},
      {"Authorization", trailers("Authorization: evil\r\nX-A: 1\r\n"), {200}, "x-a: 1", "evil"},
      {"Cookie", trailers("Cookie: evil\r\nX-A: 1\r\n"), {200}, "x-a: 1", "evil"},
      {"X-Forwarded-For", trailers("X-Forwarded-For: 6.6.6.6\r\nX-A: 1\r\n"), {200}, "x-a: 1", "6.6.6.6"},
      {"Connection", trailers("Connection: close\r\nX-A: 1\r\n"), {200}, "x-a: 1", "connection"},
      {"a space before the colon", trailers("X-A : 1\r\n")},
      {"no colon", trailers("X-A\r\n")},
      {"empty name", trailers(": 1\r\n")},
      {"folded", trailers("X-A: 1\r\n 2\r\n")},
      {"a space in front", trailers(" X-A: 1\r\n")},
      {"bare LF", trailers("X-A: 1\n")},
      {"bare CR", trailers("X-A: 1\r2\r\n")},
      {"NUL", trailers("X-A: \0\r\n"s)},
      {"too many", trailers(many), {400, 431}},
      {"too large", trailers("X-A: " + std::string(40'000, 'a') + "\r\n"), {400, 431}},
      {"endless", chunked("0\r\nX-A: " + std::string(80'000, 'a')), {400, 431}},
  });
}
