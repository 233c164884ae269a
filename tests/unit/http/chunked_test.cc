// The chunked coding (RFC 9112 §7.1): what is refused, what is bounded, and that cuts change nothing.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "http/h1/chunked.h"
#include "tests/unit/http/codec_recorder.h"

namespace albatross::http_test {
namespace {

struct Read {
  std::string data;
  bool bad = false;
  bool done = false;
  std::size_t eaten = 0;
};

Read read(const std::vector<std::string_view>& pieces) {
  ChunkedReader reader;
  Read out;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && !out.bad && !out.done) {
      std::size_t consumed = 0;
      std::string_view data;
      switch (reader.next(piece, consumed, data)) {
        case ChunkedReader::Step::kData: out.data += data; break;
        case ChunkedReader::Step::kBad: out.bad = true; break;
        case ChunkedReader::Step::kTrailers: out.done = true; break;
        case ChunkedReader::Step::kMore: REQUIRE(consumed == piece.size()); break;
      }
      out.eaten += consumed;
      piece.remove_prefix(consumed);
    }
  }
  return out;
}

Read read_every_way(const std::string& bytes) {
  INFO(escaped(bytes));
  Read whole = read({bytes});
  auto compare = [&](const Read& r) {
    CHECK(r.bad == whole.bad);
    CHECK(r.done == whole.done);
    CHECK(r.data == whole.data);
    if (!whole.bad) CHECK(r.eaten == whole.eaten);
  };
  compare(read(single_bytes(bytes)));
  std::string_view view = bytes;
  if (bytes.size() < 200) {
    for (std::size_t i = 1; i < bytes.size(); ++i) compare(read({view.substr(0, i), view.substr(i)}));
  }
  for (std::uint64_t seed = 0; seed < 4; ++seed) compare(read(random_cuts(bytes, seed, 5)));
  return whole;
}

}  // namespace

TEST_CASE("chunks come out as their data") {
  for (auto [bytes, data] : {std::pair<const char*, const char*>{"0\r\n", ""},
                             {"1\r\na\r\n0\r\n", "a"},
                             {"a\r\n0123456789\r\n0\r\n", "0123456789"},
                             {"A\r\n0123456789\r\n000\r\n", "0123456789"},
                             {"0005\r\nhello\r\n0\r\n", "hello"},
                             {"2\r\n\r\n\r\n0\r\n", "\r\n"},
                             {"5;\r\nhello\r\n0\r\n", "hello"},
                             {"5;a\r\nhello\r\n0;b=c\r\n", "hello"},
                             {"5 ;a=b\r\nhello\r\n0\r\n", "hello"},
                             {"5\t \t;a=\"x;y\"\r\nhello\r\n0\r\n", "hello"},
                             {"5;a=b;c=\"\xc3\xa9\"\r\nhello\r\n0\r\n", "hello"},
                             {"3\r\n0\r\n\r\n0\r\n", "0\r\n"},
                             {"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n", "abc"}}) {
    Read r = read_every_way(bytes);
    CHECK_FALSE(r.bad);
    CHECK(r.done);
    CHECK(r.data == data);
    CHECK(r.eaten == std::string_view(bytes).size());
  }
}

TEST_CASE("chunk sizes that are no plain hexadecimal number are refused") {
  for (const char* size : {"",    " ",   "x",  "g",   "0x5", "+5", "-5",           "-0",    " 5", "\t5", "5 ",
                           "5\t", "5 5", "5,", "5\"", "5g",  "5=", "\xef\xbc\x95", "5\x80", ";",  ";a",  "\r"}) {
    CHECK(read_every_way(std::string(size) + "\r\nhello\r\n0\r\n").bad);
  }
  CHECK(read_every_way(std::string("5\0\r\nhello\r\n0\r\n", 14)).bad);
}

TEST_CASE("chunk sizes do not overflow") {
  // 2^63 and beyond, and what 64 bits would wrap to 5.
  for (const char* size : {"8000000000000000", "FFFFFFFFFFFFFFFF", "10000000000000000", "10000000000000005",
                           "100000000000000000000005", "fffffffffffffffffffffffffffffffb"}) {
    CHECK(read_every_way(std::string(size) + "\r\nhello\r\n0\r\n").bad);
  }
  Read r = read_every_way("7fffffffffffffff\r\nhello");
  CHECK_FALSE(r.bad);
  CHECK(r.data == "hello");
}

TEST_CASE("line ends of chunks are exactly CRLF") {
  for (const char* bytes :
       {"5\nhello\r\n0\r\n", "5\r\nhello\n0\r\n", "5\r\nhello0\r\n", "5\r\nhello\r0\r\n", "5\r\nhello \r\n0\r\n",
        "5\r\nhellox\r\n0\r\n", "5\r\nhell\r\n0\r\n", "5\r\r\nhello\r\n0\r\n", "5\rhello\r\n0\r\n",
        "5\r\nhello\r\r\n0\r\n", "5\r\nhello\r\n\r\n0\r\n", "5\r\nhello\r\n0\n", "5\r\nhello\r\n0\r\r",
        "5;a\nhello\r\n0\r\n", "5;a\r\r\nhello\r\n0\r\n", "\r\n5\r\nhello\r\n0\r\n", "5;a\x01\r\nhello\r\n0\r\n",
        "5;a\x7f\r\nhello\r\n0\r\n"}) {
    CHECK(read_every_way(bytes).bad);
  }
  CHECK(read_every_way(std::string("5;a\0b\r\nhello\r\n0\r\n", 18)).bad);
}

TEST_CASE("extensions of one chunk are bounded") {
  CHECK_FALSE(read({"1;" + std::string(1000, 'x') + "\r\na\r\n0\r\n"}).bad);
  CHECK(read({"1;" + std::string(2000, 'x') + "\r\na\r\n0\r\n"}).bad);
  CHECK(read({"1" + std::string(2000, ' ') + ";\r\na\r\n0\r\n"}).bad);
  CHECK(read({"0;" + std::string(2000, 'x') + "\r\n"}).bad);
}

TEST_CASE("extensions of a message are bounded in sum") {
  std::string some, blanks;
  for (int i = 0; i < 40; ++i)
    some += "1;" + std::string(900, 'x') + "\r\na\r\n", blanks += "1" + std::string(900, ' ') + ";\r\na\r\n";
  CHECK(read({some}).bad);
  CHECK(read({blanks}).bad);
}

TEST_CASE("a chunk size does not go on for ever in zeros") {
  CHECK(read({std::string(100'000, '0') + "5\r\nhello\r\n0\r\n"}).bad);
}

TEST_CASE("a reader can be used again after a reset") {
  ChunkedReader reader;
  std::size_t consumed = 0;
  std::string_view data;
  CHECK(reader.next("5\r\nhel", consumed, data) == ChunkedReader::Step::kData);
  reader.reset();
  CHECK(reader.next("0\r\n", consumed, data) == ChunkedReader::Step::kTrailers);
}

TEST_CASE("trailers that frame, route or authenticate are stripped") {
  std::string names;
  for (const char* name : {"Host",
                           "Content-Length",
                           "Transfer-Encoding",
                           "Trailer",
                           "TE",
                           "Connection",
                           "Upgrade",
                           "Keep-Alive",
                           "Proxy-Connection",
                           "Expect",
                           "Authorization",
                           "Proxy-Authorization",
                           "Proxy-Authenticate",
                           "Cookie",
                           "Set-Cookie",
                           "Content-Type",
                           "Content-Encoding",
                           "Cache-Control",
                           "Location",
                           "X-Forwarded-For",
                           "X-Forwarded-Proto",
                           "X-Forwarded-Host",
                           "X-Forwarded-Port",
                           "Forwarded",
                           "X-Real-IP",
                           "Proxy",
                           "X-Forwarded-ClientCert-SubjectDN",
                           "X-Forwarded-ClientCert-IssuerDN",
                           "X-Forwarded-ClientCert-Fingerprint",
                           "X-Forwarded-ClientCert-ClientVerify",
                           "X_Forwarded_Host"}) {
    names += std::string(name) + ": evil\r\n";
  }
  Run r = run({}, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + names +
                      "grpc-status: 0\r\nX-Sum: 1\r\n\r\n");
  CHECK(r.complete);
  CHECK(r.text.ends_with("trailers\n  grpc-status=[0]\n  X-Sum=[1]\ncomplete, left []\n"));
  for (const char* bad : {"X\r\n", ": y\r\n", " X: y\r\n", "X: y\r\n z\r\n", "X : y\r\n", "X: \x01\r\n", "X: y\n"}) {
    CHECK(run({}, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + std::string(bad) + "\r\n")
              .cause == Cause::kMalformedRequest);
  }
}

}  // namespace albatross::http_test
