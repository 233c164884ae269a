#include "net/proxy_header.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "net/tcp_transport.h"

namespace albatross {
namespace {

constexpr std::string_view kV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kV1Max = 107;

ProxyHeader bad() { return {ProxyHeader::State::kBad, 0, false, {}, 0}; }

bool parse_port(std::string_view text, std::uint16_t& out) {
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && ec == std::errc() && end == text.data() + text.size();
}

// "PROXY TCP4 src dst sport dport\r\n"
ProxyHeader parse_v1(std::string_view bytes) {
  std::size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return bytes.size() >= kV1Max ? bad() : ProxyHeader{};
  if (end > kV1Max - 2) return bad();
  std::string_view words[6];
  std::size_t n = 0;
  bool too_many = false;
  for (std::string_view line = bytes.substr(0, end); n < 6;) {
    std::size_t space = line.find(' ');
    words[n++] = line.substr(0, space);
    if (space == std::string_view::npos) break;
    line.remove_prefix(space + 1);
    too_many = n == 6;
  }
  ProxyHeader h{ProxyHeader::State::kComplete, end + 2, false, {}, 0};
  if (n >= 2 && words[1] == "UNKNOWN") {
    h.local = true;
    return h;
  }
  if (n != 6 || too_many || (words[1] != "TCP4" && words[1] != "TCP6")) return bad();
  std::optional<IpAddress> source = IpAddress::parse(words[2]);
  std::uint16_t destination_port;
  auto of_family = [&](std::string_view a) { return (words[1] == "TCP4") == (a.find(':') == std::string_view::npos); };
  if (!source || !IpAddress::parse(words[3]) || !parse_port(words[4], h.source_port) ||
      !parse_port(words[5], destination_port) || !of_family(words[2]) || !of_family(words[3])) {
    return bad();
  }
  h.source = *source;
  return h;
}

ProxyHeader parse_v2(std::string_view bytes) {
  if (bytes.size() < 16) return {};
  auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  std::uint8_t version = byte(12) >> 4, command = byte(12) & 15, family = byte(13) >> 4;
  std::size_t length = static_cast<std::size_t>(byte(14) << 8 | byte(15));
  std::uint8_t transport = byte(13) & 15;
  if (version != 2 || command > 1) return bad();
  if (command == 1 && (family > 3 || transport > 2)) return bad();
  std::size_t address = family == 1 ? 12 : family == 2 ? 36 : 0;
  if (command == 1 && address > length) return bad();
  if (length > 4096) return bad();
  if (bytes.size() < 16 + length) return {};
  ProxyHeader h{ProxyHeader::State::kComplete, 16 + length, command == 0 || address == 0, {}, 0};
  if (h.local) return h;
  // TLVs follow the addresses, and each must fit (CVE-2026-47692).
  for (std::size_t at = 16 + address; at < 16 + length;) {
    if (at + 3 > 16 + length) return bad();
    at += 3u + static_cast<std::size_t>(byte(at + 1) << 8 | byte(at + 2));
    if (at > 16 + length) return bad();
  }
  if (family == 1) {
    h.source.valid = true;
    std::memcpy(h.source.bytes.data(), bytes.data() + 16, 4);
  } else {
    h.source = IpAddress::from_v6(reinterpret_cast<const std::uint8_t*>(bytes.data()) + 16);
  }
  std::size_t ports = family == 1 ? 24 : 48;
  h.source_port = static_cast<std::uint16_t>(byte(ports) << 8 | byte(ports + 1));
  return h;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes) {
  std::size_t n = bytes.size() < kV2.size() ? bytes.size() : kV2.size();
  if (bytes.substr(0, n) == kV2.substr(0, n) && n > 0) return parse_v2(bytes);
  constexpr std::string_view kV1 = "PROXY ";
  n = bytes.size() < kV1.size() ? bytes.size() : kV1.size();
  if (bytes.substr(0, n) != kV1.substr(0, n)) return bad();
  return n < kV1.size() ? ProxyHeader{} : parse_v1(bytes);
}

IoResult ProxyPeek::step(int fd, bool& readable, bool hung_up) {
  char buffer[2048];
  while (header_.state == ProxyHeader::State::kIncomplete) {
    IoResult r = TcpTransport::receive(fd, buffer, sizeof buffer, readable, hung_up);
    if (r.status == IoStatus::kEnd) return {0, IoStatus::kError, ECONNRESET};
    if (r.status != IoStatus::kOk) return r;
    held_.append(buffer, r.bytes);
    header_ = parse_proxy_header(held_);
  }
  if (header_.state == ProxyHeader::State::kBad) return {0, IoStatus::kError, EPROTO};
  at_ = header_.size;
  return {};
}

std::size_t ProxyPeek::take(char* into, std::size_t size) {
  std::size_t n = std::min(size, left());
  std::memcpy(into, held_.data() + at_, n);
  at_ += n;
  if (left() == 0) std::string().swap(held_), at_ = 0;
  return n;
}

}  // namespace albatross
