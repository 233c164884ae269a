#include "net/proxy_header.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <cerrno>
#include <string>

namespace albatross::net_test {
namespace {

using State = ProxyHeader::State;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string v2(int version_command, int family, const std::string& block, int length = -1) {
  std::size_t n = length < 0 ? block.size() : static_cast<std::size_t>(length);
  return kSignature + static_cast<char>(version_command) + static_cast<char>(family) + static_cast<char>(n >> 8) +
         static_cast<char>(n) + block;
}

const std::string kBlock4("\x0a\x01\x02\x03\x0a\x00\x00\x01\x30\x39\x01\xbb", 12);  // 10.1.2.3:12345 -> 10.0.0.1:443
const std::string kBlock6 = std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16) + std::string(15, '\0') +
                            "\x01" + std::string("\x30\x39\x01\xbb", 4);

// Each prefix is incomplete or, with the whole, the same; what follows is not eaten.
ProxyHeader parsed(const std::string& bytes) {
  ProxyHeader whole = parse_proxy_header(bytes);
  if (whole.state == State::kComplete) {
    CHECK(whole.size == bytes.size());
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      CAPTURE(n);
      CHECK(parse_proxy_header(bytes.substr(0, n)).state == State::kIncomplete);
    }
    ProxyHeader more = parse_proxy_header(bytes + "GET / HTTP/1.1\r\n");
    CHECK(more.state == State::kComplete);
    CHECK(more.size == bytes.size());
  }
  return whole;
}

}  // namespace

TEST_CASE("a v1 line names the client") {
  ProxyHeader h = parsed("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n");
  REQUIRE(h.state == State::kComplete);
  CHECK_FALSE(h.local);
  CHECK(h.source.to_string() == "192.0.2.1");
  CHECK(h.source_port == 56324);
  h = parsed("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
  REQUIRE(h.state == State::kComplete);
  CHECK(h.source.to_string() == "2001:db8::1");
  h = parsed(
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
  CHECK(h.state == State::kComplete);
  CHECK(parsed("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n").source == *IpAddress::parse("192.0.2.1"));
}

TEST_CASE("an unknown client counts as the connection's own, whatever else the line says") {
  for (const char* line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "PROXY UNKNOWN x\r\n",
                           "PROXY UNKNOWN a b c d e f g h\r\n"}) {
    CAPTURE(line);
    ProxyHeader h = parsed(line);
    CHECK(h.state == State::kComplete);
    CHECK(h.local);
  }
}

TEST_CASE("v1 lines that are not one are bad") {
  for (std::string line : {"PROXY\r\n",
                           "PROXY \r\n",
                           "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY TCP4\r\n",
                           "PROXY TCP4 1.2.3.4\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
                           "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 1x 2\r\n",
                           "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
                           "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
                           "PROXY TCP4 1.2.3.4 x 1 2\r\n",
                           "PROXY TCP4 ::1 ::1 1 2\r\n",
                           "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
                           "PROXY TCP6 ::1 1.2.3.4 1 2\r\n",
                           "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY [TCP4] 1.2.3.4 1.2.3.4 1 2\r\n",
                           "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n",
                           "PROXY TCP4 1.2.3.4\r1.2.3.4 1 2\r\n",
                           "GET / HTTP/1.1\r\n\r\n",
                           "\x16\x03\x01",
                           "x",
                           "\r\n\r\nGET",
                           "\r\r",
                           "PROXZ "}) {
    CAPTURE(line);
    CHECK(parse_proxy_header(line).state == State::kBad);
  }
  CHECK(parse_proxy_header(std::string("PROXY TCP4 1.2.3.4\0x 1.2.3.4 1 2\r\n", 35)).state == State::kBad);
  CHECK(parse_proxy_header(std::string("PROXY TCP4 1.2.3.4 1.2.3.4\0 1 2\r\n", 33)).state == State::kBad);
}

TEST_CASE("a v1 line is at most 107 bytes") {
  std::string start = "PROXY UNKNOWN ";
  CHECK(parsed(start + std::string(105 - start.size(), 'x') + "\r\n").state == State::kComplete);
  CHECK(parse_proxy_header(start + std::string(106 - start.size(), 'x') + "\r\n").state == State::kBad);
  CHECK(parse_proxy_header(start + std::string(93, 'x')).state == State::kBad);
  CHECK(parse_proxy_header(start + std::string(92, 'x')).state == State::kIncomplete);
}

TEST_CASE("a v2 block names the client") {
  ProxyHeader h = parsed(v2(0x21, 0x11, kBlock4));
  REQUIRE(h.state == State::kComplete);
  CHECK_FALSE(h.local);
  CHECK(h.source.to_string() == "10.1.2.3");
  CHECK(h.source_port == 12345);
  h = parsed(v2(0x21, 0x21, kBlock6));
  REQUIRE(h.state == State::kComplete);
  CHECK(h.source.to_string() == "2001:db8::7");
  CHECK(h.source_port == 12345);
  CHECK(parsed(v2(0x21, 0x12, kBlock4)).state == State::kComplete);
}

TEST_CASE("a v4-mapped client in a v2 block is that v4 address") {
  std::string mapped = std::string(10, '\0') + "\xff\xff" + std::string("\x0a\x01\x02\x03", 4) + kBlock6.substr(16);
  ProxyHeader h = parsed(v2(0x21, 0x21, mapped));
  REQUIRE(h.state == State::kComplete);
  CHECK(h.source == *IpAddress::parse("10.1.2.3"));
  CHECK(Network::parse("10.0.0.0/8")->contains(h.source));
}

TEST_CASE("LOCAL and unspecified families count as the connection's own") {
  for (const std::string& bytes :
       {v2(0x20, 0x00, ""), v2(0x20, 0x11, kBlock4), v2(0x20, 0x11, ""), v2(0x20, 0x00, std::string(200, 'x')),
        v2(0x21, 0x00, ""), v2(0x21, 0x00, std::string(7, 'x')), v2(0x21, 0x31, std::string(216, 'x'))}) {
    ProxyHeader h = parsed(bytes);
    CHECK(h.state == State::kComplete);
    CHECK(h.local);
  }
}

TEST_CASE("TLVs behind the addresses are skipped whole") {
  for (const std::string& tlvs :
       {std::string("\x04\x00\x00", 3), std::string("\x04\x00\x02hi", 5), std::string("\x04\x00\x02hi\x20\x00\x01x", 9),
        "\x05" + std::string("\x01\x00", 2) + std::string(256, 'x')}) {
    CHECK(parsed(v2(0x21, 0x11, kBlock4 + tlvs)).state == State::kComplete);
    CHECK(parsed(v2(0x21, 0x21, kBlock6 + tlvs)).state == State::kComplete);
  }
  for (const std::string& tlvs :
       {std::string("\x04"), std::string("\x04\x00", 2), std::string("\x04\x00\x01", 3),
        std::string("\x04\x00\x03hi", 5), std::string("\x04\xff\xffhi", 5), std::string("\x04\x00\x00\x04", 4)}) {
    CHECK(parse_proxy_header(v2(0x21, 0x11, kBlock4 + tlvs)).state == State::kBad);
    CHECK(parse_proxy_header(v2(0x21, 0x21, kBlock6 + tlvs)).state == State::kBad);
  }
}

TEST_CASE("v2 blocks that are not one are bad") {
  for (const std::string& bytes :
       {v2(0x11, 0x11, kBlock4), v2(0x31, 0x11, kBlock4), v2(0x01, 0x11, kBlock4), v2(0x22, 0x11, kBlock4),
        v2(0x2f, 0x11, kBlock4), v2(0x21, 0x11, kBlock4.substr(1)), v2(0x21, 0x11, ""), v2(0x21, 0x21, kBlock4),
        v2(0x21, 0x11, kBlock4, 0xffff), v2(0x20, 0x00, "", 0xffff), v2(0x21, 0x41, std::string(40, 'x')),
        v2(0x21, 0xf1, std::string(40, 'x')), v2(0x21, 0x1f, kBlock4), v2(0x21, 0x2a, kBlock6)}) {
    CHECK(parse_proxy_header(bytes).state == State::kBad);
  }
  for (std::size_t i = 0; i < kSignature.size(); ++i) {
    std::string bytes = v2(0x21, 0x11, kBlock4);
    bytes[i] = static_cast<char>(bytes[i] ^ 0x20);
    CHECK(parse_proxy_header(bytes).state == State::kBad);
  }
}

TEST_CASE("a peek hands on exactly what follows the header, however it is cut") {
  for (const std::string& header :
       {v2(0x21, 0x11, kBlock4), std::string("PROXY TCP4 10.1.2.3 10.0.0.1 12345 443\r\n")}) {
    for (std::size_t cut = 0; cut <= header.size() + 5; ++cut) {
      int fds[2];
      REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
      std::string all = header + "hello";
      ProxyPeek peek;
      bool readable = true;
      REQUIRE(write(fds[1], all.data(), cut) == static_cast<ssize_t>(cut));
      IoResult r = peek.step(fds[0], readable, false);
      CHECK(r.status == (cut < header.size() ? IoStatus::kAgain : IoStatus::kOk));
      if (cut < header.size()) {
        CHECK_FALSE(readable);
        readable = true;
        REQUIRE(write(fds[1], all.data() + cut, all.size() - cut) > 0);
        CHECK(peek.step(fds[0], readable, false).status == IoStatus::kOk);
        CHECK(peek.left() == 5);
      }
      CHECK(peek.header().source.to_string() == "10.1.2.3");
      char into[3];
      std::string rest;
      while (peek.left() > 0) rest.append(into, peek.take(into, sizeof into));
      CHECK(rest == (cut < header.size() ? "hello" : all.substr(header.size(), cut - header.size())));
      ::close(fds[0]);
      ::close(fds[1]);
    }
  }
}

TEST_CASE("a peek ends in an error on garbage and on an early end") {
  for (const char* bytes : {"GET / HTTP/1.1\r\n", "PROXY TCP4"}) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    REQUIRE(write(fds[1], bytes, std::string_view(bytes).size()) > 0);
    ::close(fds[1]);
    ProxyPeek peek;
    bool readable = true;
    IoResult r = peek.step(fds[0], readable, true);
    CHECK(r.status == IoStatus::kError);
    CHECK(r.error == (bytes[0] == 'G' ? EPROTO : ECONNRESET));
    ::close(fds[0]);
  }
}

}  // namespace albatross::net_test
