// Sizes: exactly the limit passes, one more does not, and a peer that never ends is refused early.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/http/cuts.h"

namespace albatross::http_test {
namespace {

std::string head_of(std::size_t size) {
  std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
}
std::string response_of(std::size_t size) {
  std::string start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ";
  return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
}
std::string with_fields(std::size_t n) {
  std::string out = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < n; ++i) out += "x: y\r\n";
  return out + "\r\n";
}

// Fed in pieces of 1000 bytes.
Run in_thousands(const Setting& s, std::string_view bytes) {
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); i += 1000) pieces.push_back(bytes.substr(i, 1000));
  return run(s, pieces);
}

}  // namespace

TEST_CASE("a head of exactly the limit passes and one byte more is too large") {
  Setting s;
  CHECK(run(s, head_of(s.limits.head)).cause == Cause::kNone);
  CHECK(run(s, head_of(s.limits.head + 1)).cause == Cause::kHeadTooLarge);
  CHECK(in_thousands(s, head_of(s.limits.head)).complete);
  CHECK(in_thousands(s, head_of(s.limits.head + 1)).cause == Cause::kHeadTooLarge);
  s.limits.head = 200;
  CHECK(same_however_cut(s, head_of(200)).complete);
  CHECK(same_however_cut(s, head_of(201)).cause == Cause::kHeadTooLarge);
}

TEST_CASE("a response head of exactly the limit passes and one byte more is the server's fault") {
  Setting s;
  s.role = Role::kClient;
  CHECK(run(s, response_of(s.limits.head)).complete);
  CHECK(run(s, response_of(s.limits.head + 1)).cause == Cause::kUpstreamMalformed);
  s.limits.head = 200;
  CHECK(same_however_cut(s, response_of(200)).complete);
  CHECK(same_however_cut(s, response_of(201)).cause == Cause::kUpstreamMalformed);
}

TEST_CASE("a head that does not end is refused at the limit") {
  Setting s;
  std::string endless = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(s.limits.head, 'x');
  CHECK(in_thousands(s, endless).cause == Cause::kHeadTooLarge);
  std::string lines = "GET / HTTP/1.1\r\nHost: a\r\n";
  s.limits.fields = 1000;
  while (lines.size() <= s.limits.head) lines += "x: " + std::string(500, 'y') + "\r\n";
  CHECK(in_thousands(s, lines).cause == Cause::kHeadTooLarge);
  s.role = Role::kClient;
  CHECK(in_thousands(s, "HTTP/1.1 200 " + std::string(s.limits.head, 'x')).cause == Cause::kUpstreamMalformed);
}

TEST_CASE("a target of exactly the limit passes and one byte more is too long") {
  Setting s;
  auto with_target = [](std::size_t n) { return "GET /" + std::string(n - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"; };
  CHECK(run(s, with_target(s.limits.target)).complete);
  CHECK(run(s, with_target(s.limits.target + 1)).cause == Cause::kTargetTooLong);
  CHECK(in_thousands(s, with_target(s.limits.target + 1)).cause == Cause::kTargetTooLong);
  CHECK(in_thousands(s, "GET /" + std::string(s.limits.head, 'a')).cause == Cause::kTargetTooLong);
  s.limits.target = 100;
  CHECK(same_however_cut(s, with_target(100)).complete);
  CHECK(same_however_cut(s, with_target(101)).cause == Cause::kTargetTooLong);
}

TEST_CASE("as many fields as the limit pass and one more is too many") {
  Setting s;
  CHECK(same_however_cut(s, with_fields(s.limits.fields)).complete);
  CHECK(same_however_cut(s, with_fields(s.limits.fields + 1)).cause == Cause::kHeadTooLarge);
  s.limits.fields = 5000;  // the parser's own bound holds
  CHECK(run(s, with_fields(kMaxFields)).complete);
  CHECK(run(s, with_fields(kMaxFields + 1)).cause == Cause::kHeadTooLarge);
}

TEST_CASE("trailers have the head's limits") {
  Setting s;
  auto with_trailers = [](std::size_t n, std::size_t size) {
    std::string out = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    for (std::size_t i = 0; i < n; ++i) out += "x: " + std::string(size, 'y') + "\r\n";
    return out + "\r\n";
  };
  CHECK(run(s, with_trailers(100, 1)).complete);
  CHECK(run(s, with_trailers(101, 1)).cause == Cause::kHeadTooLarge);
  CHECK(run(s, with_trailers(10, 4000)).cause == Cause::kHeadTooLarge);
  CHECK(in_thousands(s, with_trailers(10, 4000)).cause == Cause::kHeadTooLarge);
  s.role = Role::kClient;
  CHECK(run(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + std::string(40000, 'x')).cause ==
        Cause::kUpstreamMalformed);
}

TEST_CASE("a head is not parsed again until another line has ended") {
  // Quadratic work over a dripping head would show as minutes here.
  Setting s;
  Run r = run(s, single_bytes(head_of(s.limits.head)));
  CHECK(r.complete);
}

}  // namespace albatross::http_test
