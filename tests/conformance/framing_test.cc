// Where a request ends: RFC 9112 §6. Whatever is not plain is refused, and framing fields are never copied.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

TEST_CASE("Content-Length", "[framing]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases = {
      {"plain", post("Content-Length: 5\r\n", "abcde"), {200}, "content-length: 5\r\n"},
      {"zeros in front are normalised", post("Content-Length: 00005\r\n", "abcde"), {200}, "content-length: 5\r\n"},
      {"outer blanks", post("Content-Length:\t 5 \t\r\n", "abcde"), {200}, "content-length: 5\r\n"},
      {"with GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", {200}, "content-length: 3\r\n"},
      {"nominated by Connection it stays",
       post("Connection: content-length\r\nContent-Length: 3\r\n", "abc"),
       {200},
       "content-length: 3\r\n"},
      {"twice, differing", post("Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef")},
      {"twice, equal", post("Content-Length: 5\r\nContent-Length: 5\r\n", "abcde")},
      {"twice, one in another case", post("Content-Length: 5\r\ncONTENT-lENGTH: 0\r\n", "abcde")},
      {"a space before the colon", post("Content-Length : 5\r\n", "abcde")},
      {"folded", post("Content-Length:\r\n 5\r\n", "abcde")},
  };
  for (const char* bad : {"",
                          "+5",
                          "-5",
                          "-0",
                          "0x5",
                          "5 5",
                          "5,5",
                          "5, 5",
                          "5,",
                          ",5",
                          "5;",
                          "5.0",
                          "1e1",
                          "5a",
                          "a",
                          "\"5\"",
                          "'5'",
                          "5\t5",
                          "5_0",
                          "\xd9\xa5",
                          "18446744073709551616",
                          "18446744073709551621",
                          "9223372036854775808",
                          "99999999999999999999999999",
                          "0 5",
                          "#5",
                          "5\xa0",
                          "\xef\xbc\x95",
                          "0b101",
                          "0o5",
                          "5L",
                          "(5)"}) {
    cases.push_back({"bad", post("Content-Length: "s + bad + "\r\n", "abcde")});
  }
  cases.push_back({"NUL behind", post("Content-Length: 5\0\r\n"s, "abcde")});
  cases.push_back({"vertical tab in front", post("Content-Length: \v5\r\n", "abcde")});
  corpus.run(cases);
}

TEST_CASE("Transfer-Encoding", "[framing]") {
  RequestCorpus corpus;
  const std::string body = "3\r\nabc\r\n0\r\n\r\n";
  std::vector<RequestCase> cases = {
      {"plain", post("Transfer-Encoding: chunked\r\n", body), {200}, "transfer-encoding: chunked\r\n"},
      {"other case", post("tRANSFER-eNCODING: CHUNKED\r\n", body), {200}, "transfer-encoding: chunked\r\n"},
      {"outer blanks", post("Transfer-Encoding: \t chunked \t\r\n", body), {200}, "transfer-encoding: chunked\r\n"},
      {"nominated by Connection it stays",
       post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", body),
       {200},
       "chunked\r\n"},
      {"in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body},
      {"with a length behind", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", body)},
      {"with a length in front", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", body)},
      {"with a zero length", post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", body)},
      {"identity with a length", post("Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "abc")},
      {"empty with a length", post("Transfer-Encoding:\r\nContent-Length: 3\r\n", "abc")},
      {"twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body)},
      {"twice, identity first", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", body)},
      {"twice, identity last", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", body)},
      {"twice, an empty one", post("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", body)},
  };
  for (const char* bad : {"",
                          "xchunked",
                          "chunkedx",
                          "chunked, identity",
                          "identity, chunked",
                          "identity",
                          "chunked, chunked",
                          "chunked,",
                          ",chunked",
                          "chunked;",
                          "chunked;a=b",
                          "\"chunked\"",
                          "'chunked'",
                          "chun ked",
                          "chunk",
                          "gzip",
                          "gzip, chunked",
                          "chunked, gzip",
                          "deflate",
                          "compress, chunked",
                          "x",
                          "chunked\xa0",
                          "\xa0"
                          "chunked",
                          "chunked 1",
                          "chunked\tx",
                          "chunked/1",
                          "trailers",
                          "(a)chunked",
                          "cow",
                          "chunKed;q=1",
                          "\xef\xbb\xbf"
                          "chunked",
                          "{chunked}",
                          "chunked=1",
                          "0"}) {
    cases.push_back({"bad", post("Transfer-Encoding: "s + bad + "\r\n", body), {400, 501}});
  }
  cases.push_back({"NUL behind", post("Transfer-Encoding: chunked\0\r\n"s, body)});
  cases.push_back({"vertical tab in front", post("Transfer-Encoding: \vchunked\r\n", body)});
  cases.push_back({"form feed in front", post("Transfer-Encoding: \fchunked\r\n", body)});
  cases.push_back({"bare CR in front", post("Transfer-Encoding: \rchunked\r\n", body)});
  corpus.run(cases);
}

// CVE-2019-18277 and its kin: a coding that one side sees and the other does not.
TEST_CASE("no disguise of Transfer-Encoding gets through beside a length", "[framing]") {
  RequestCorpus corpus;
  std::vector<RequestCase> cases;
  const std::string length = "Content-Length: 4\r\n";
  const std::string body = "1\r\nZ\r\n0\r\n\r\n";
  for (const std::string& name :
       {"Transfer-Encoding"s, "Transfer-Encoding "s, "Transfer-Encoding\t"s, " Transfer-Encoding"s,
        "Transfer-Encoding\0"s, "Transfer-Encoding\v"s, "\tTransfer-Encoding"s, "transfer-encoding"s,
        "TRANSFER-ENCODING"s, "Transfer-Encoding\x85"s}) {
    for (const std::string& value :
         {"chunked"s, " chunked"s, "\tchunked"s, "\vchunked"s, "chunked "s, "chunked\v"s, "\"chunked\""s, "x, chunked"s,
          "chunked, x"s, "\r\n chunked"s, "chunked\r\n x"s, "\0chunked"s, "chunked\0"s, "cHuNkEd"s, ""s}) {
      const std::string field = name + ":" + value + "\r\n";
      cases.push_back({"behind", post(length + field, body), {400, 501}});
      cases.push_back({"in front", post(field + length, body), {400, 501}});
    }
  }
  CHECK(cases.size() >= 300);
  corpus.run(cases);
}

TEST_CASE("names that only look like framing are dropped", "[framing]") {
  RequestCorpus corpus;
  corpus.run({
      {"Content_Length", get("Content_Length: 5\r\n"), {200}, "host: a", "content_length"},
      {"Transfer_Encoding", get("Transfer_Encoding: chunked\r\n"), {200}, "host: a", "transfer_encoding"},
      {"beside the real one",
       post("Content-Length: 3\r\nContent_Length: 5\r\n", "abc"),
       {200},
       "content-length: 3",
       "content_length"},
  });
}

TEST_CASE("Expect", "[framing]") {
  RequestCorpus corpus;
  corpus.run({
      {"something else", post("Expect: 200-ok\r\nContent-Length: 0\r\n", ""), {417}},
      {"with a parameter", post("Expect: 100-continue;x\r\nContent-Length: 3\r\n", "abc"), {417}},
      {"two things", post("Expect: 100-continue, x\r\nContent-Length: 3\r\n", "abc"), {417}},
      {"ignored from HTTP/1.0",
       "POST / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
       {200},
       "abc",
       "expect"},
      {"without a body it means nothing", get("Expect: 100-continue\r\n"), {200}, "host", "expect"},
  });
}
