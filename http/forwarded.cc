#include "http/forwarded.h"

#include <charconv>

#include "base/text.h"
#include "http/uri.h"

namespace albatross {
namespace {

// "1.2.3.4", "1.2.3.4:80", "[::1]:80", "::1"
std::optional<IpAddress> address_of(std::string_view entry) {
  if (!entry.empty() && entry[0] == '[') {
    std::size_t close = entry.find(']');
    return close == std::string_view::npos ? std::nullopt : IpAddress::parse(entry.substr(1, close - 1));
  }
  std::size_t colon = entry.find(':');
  if (colon != std::string_view::npos && entry.find(':', colon + 1) == std::string_view::npos)
    entry = entry.substr(0, colon);
  return IpAddress::parse(entry);
}

void strip_untrusted(Fields& fields) {
  for (HeaderId id : {HeaderId::kXForwardedProto, HeaderId::kXForwardedHost, HeaderId::kXForwardedPort,
                      HeaderId::kForwarded, HeaderId::kXRealIp, HeaderId::kClientCertSubject,
                      HeaderId::kClientCertIssuer, HeaderId::kClientCertFingerprint, HeaderId::kClientCertVerify}) {
    fields.remove(id);
  }
}

void set_unless_believed(Fields& fields, bool trusted, bool wanted, HeaderId id, std::string_view name,
                         std::string_view value) {
  if (trusted && fields.find(id) != nullptr) return;
  if (!wanted || value.empty()) return;
  fields.set(id, name, value);
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  return !text.empty() && std::from_chars(text.data(), end, port).ptr == end && port > 0 && port <= 0xffff;
}

}  // namespace

Believed believed(const ForwardedPeer& peer, const Fields& fields) {
  Believed b{peer.scheme, {}, {}};
  if (!peer.trusted) return b;
  const std::string_view scheme = fields.value(HeaderId::kXForwardedProto);
  if (scheme == "http" || scheme == "https") b.scheme = scheme;
  if (auto host = fields.value(HeaderId::kXForwardedHost); valid_authority(host)) b.host = host;
  if (auto port = fields.value(HeaderId::kXForwardedPort); is_port(port)) b.port = port;
  // The port of that scheme, not of the listener behind it.
  if (b.port.empty() && b.scheme != peer.scheme) b.port = b.scheme == "https" ? "443" : "80";
  return b;
}

IpAddress client_address(const ForwardedPolicy& policy, const ForwardedPeer& peer, const Fields& fields) {
  if (policy.forwarded_for != ForwardedFor::kProcess || !peer.trusted) return peer.address;
  IpAddress client = peer.address;
  std::string_view list = fields.joined(HeaderId::kXForwardedFor);
  while (!list.empty()) {
    std::size_t comma = list.rfind(',');
    std::string_view entry = trim_blanks(comma == std::string_view::npos ? list : list.substr(comma + 1));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
    if (entry.empty()) continue;
    std::optional<IpAddress> a = address_of(entry);
    if (!a) break;  // an entry that cannot be parsed is not believed, nor are those before it
    client = *a;
    if (!contains(policy.trusted, client)) break;
  }
  return client;
}

void apply_forwarded(const ForwardedPolicy& policy, const ForwardedPeer& peer, Fields& fields) {
  fields.remove(HeaderId::kProxy);  // httpoxy: no application needs it
  if (!peer.trusted) strip_untrusted(fields);
  switch (policy.forwarded_for) {
    case ForwardedFor::kRemove: fields.remove(HeaderId::kXForwardedFor); break;
    case ForwardedFor::kPreserve: break;
    case ForwardedFor::kAppend:
    case ForwardedFor::kProcess: {
      if (peer.text.empty()) break;
      std::string_view list = fields.joined(HeaderId::kXForwardedFor);
      std::string_view value =
          list.empty() ? peer.text : fields.arena().concat(list, std::string_view(", "), peer.text);
      fields.set(HeaderId::kXForwardedFor, "X-Forwarded-For", value);
      break;
    }
  }
  set_unless_believed(fields, peer.trusted, policy.proto, HeaderId::kXForwardedProto, "X-Forwarded-Proto", peer.scheme);
  set_unless_believed(fields, peer.trusted, policy.port, HeaderId::kXForwardedPort, "X-Forwarded-Port", peer.port);
  set_unless_believed(fields, peer.trusted, policy.host, HeaderId::kXForwardedHost, "X-Forwarded-Host", peer.host);
}

}  // namespace albatross
