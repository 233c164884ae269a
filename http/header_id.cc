#include "http/header_id.h"

#include <array>

namespace albatross {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(HeaderId::kCount)> kNames = {
    "",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "expect",
    "cookie",
    "set-cookie",
    "content-type",
    "content-encoding",
    "cache-control",
    "accept",
    "user-agent",
    "referer",
    "date",
    "server",
    "location",
    "retry-after",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "forwarded",
    "x-request-id",
    "traceparent",
    "tracestate",
    "albatross-trace",
    "x-forwarded-clientcert-subjectdn",
    "x-forwarded-clientcert-issuerdn",
    "x-forwarded-clientcert-fingerprint",
    "x-forwarded-clientcert-clientverify",
    "authorization",
    "proxy-authenticate",
    "proxy-authorization",
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "grpc-status",
    "grpc-message",
    "grpc-timeout",
    "http2-settings",
    "proxy",
    "x-real-ip",
    "x-albatross-explain",
};

// Length, first and last letter separate the known names well enough: one slot, one comparison.
constexpr std::size_t kSlots = 512;
constexpr std::size_t slot(std::size_t size, char first, char last, char middle) {
  auto low = [](char c) { return static_cast<std::size_t>(static_cast<unsigned char>(c) | 0x20); };
  return (size * 37 + low(first) * 11 + low(last) * 101 + low(middle) * 53) & (kSlots - 1);
}
constexpr std::size_t slot_of(std::string_view n) { return slot(n.size(), n.front(), n.back(), n[n.size() / 2]); }

constexpr std::array<std::uint8_t, kSlots> make_table() {
  std::array<std::uint8_t, kSlots> table{};
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    std::size_t s = slot_of(kNames[i]);
    while (table[s] != 0) s = (s + 1) & (kSlots - 1);
    table[s] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kTable = make_table();

}  // namespace

HeaderId header_id(std::string_view name) {
  if (name.empty()) return HeaderId::kOther;
  for (std::size_t s = slot_of(name); kTable[s] != 0; s = (s + 1) & (kSlots - 1)) {
    if (equals_ignore_case(name, kNames[kTable[s]])) return static_cast<HeaderId>(kTable[s]);
  }
  return HeaderId::kOther;
}

std::string_view header_name(HeaderId id) { return kNames[static_cast<std::size_t>(id)]; }

}  // namespace albatross
