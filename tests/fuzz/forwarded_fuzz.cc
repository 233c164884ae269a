// Lines as X-Forwarded-For and its kin: the client is always somebody, and strangers' claims go.
#include <cstdlib>
#include <iostream>
#include <string>

#include "http/forwarded.h"

namespace albatross::http_test {
namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::cerr << what << "\n";
  std::abort();
}

// First byte: mode and trust. Then lines, of which one in eight claims something else.
void check(std::string_view input) {
  std::uint8_t how = static_cast<std::uint8_t>(input[0]);
  input.remove_prefix(1);
  Arena arena;
  Fields fields(arena);
  static constexpr std::string_view kOthers[] = {"X-Forwarded-Proto", "x-forwarded-host",
                                                 "X-Forwarded-Port",  "Forwarded",
                                                 "X-Real-IP",         "Proxy",
                                                 "X-Other",           "X-Forwarded-Clientcert-Subjectdn"};
  bool any = false;
  while (!input.empty() && fields.size() < 300) {
    std::size_t end = input.find('\n');
    std::string_view line = input.substr(0, end);
    input = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
    if (!line.empty() && (static_cast<unsigned char>(line[0]) & 0xf8) == 0xf8) {
      fields.add(kOthers[line[0] & 7], line.substr(1));
    } else {
      fields.add("X-Forwarded-For", line);
      any |= !line.empty();
    }
  }
  ForwardedPolicy policy;
  policy.forwarded_for = static_cast<ForwardedFor>(how & 3);
  policy.proto = (how & 4) != 0;
  policy.port = (how & 8) != 0;
  policy.host = (how & 16) != 0;
  policy.trusted = {*Network::parse("10.0.0.0/8"), *Network::parse("::/1")};
  std::string peer_text = (how & 32) != 0 ? "10.0.0.1" : "192.0.2.1";
  IpAddress address = *IpAddress::parse(peer_text);
  ForwardedPeer peer{address, peer_text, "http", "80", "a", contains(policy.trusted, address)};

  IpAddress client = client_address(policy, peer, fields);
  require(client.valid, "no client");
  if (!peer.trusted || policy.forwarded_for != ForwardedFor::kProcess)
    require(client == address, "a stranger chose the client");

  apply_forwarded(policy, peer, fields);
  require(fields.find(HeaderId::kProxy) == nullptr, "Proxy goes on");
  switch (policy.forwarded_for) {
    case ForwardedFor::kRemove: require(fields.count(HeaderId::kXForwardedFor) == 0, "not removed"); break;
    case ForwardedFor::kPreserve: break;
    default: {
      require(fields.count(HeaderId::kXForwardedFor) == 1, "not one list");
      std::string_view list = fields.value(HeaderId::kXForwardedFor);
      require(list.ends_with(peer_text), "the peer is not last");
      require(any || list == peer_text, "a list from nothing");
    }
  }
  if (peer.trusted) return;
  for (HeaderId id : {HeaderId::kForwarded, HeaderId::kXRealIp, HeaderId::kClientCertSubject})
    require(fields.find(id) == nullptr, "a stranger's claim goes on");
  require(fields.count(HeaderId::kXForwardedProto) == (policy.proto ? 1 : 0), "another's protocol");
  if (policy.proto) require(fields.value(HeaderId::kXForwardedProto) == "http", "another's protocol");
  require(fields.count(HeaderId::kXForwardedHost) == (policy.host ? 1 : 0), "another's host");
  require(fields.count(HeaderId::kXForwardedPort) == (policy.port ? 1 : 0), "another's port");
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
