#include "lint/incoming.h"

#include "base/text.h"
#include "http/framing.h"
#include "http/uri.h"
#include "routing/rules/condition.h"
#include "routing/rules/listener_policy.h"

namespace albatross {
namespace {

std::string text_of(std::string_view s) { return std::string(s); }

// Takes the URL and the headers apart as the codec and admission would.
std::string take_apart(const config::Listener& listener, const ExplainRequest& request, Incoming& in) {
  const std::string url = request.url;
  const bool secure = *listener.protocol == config::Listener::Protocol::kHttps;
  in.head.method_text = in.arena.copy(request.method);
  in.head.method = method_of(in.head.method_text);
  if (!is_token(in.head.method_text)) return "\"" + request.method + "\" is not a method";
  in.head.scheme = secure ? "https" : "http";
  std::string_view host, asked_host;
  for (const auto& [name, value] : request.headers) {
    if (equals_ignore_case(name, "host")) host = in.arena.copy(value);
    if (!is_token(name)) return "\"" + name + "\" is not the name of a header";
  }
  std::string_view target = in.arena.copy(url);
  if (const std::size_t fragment = target.find('#'); fragment != std::string_view::npos) {
    target = target.substr(0, fragment);  // clients do not send it
  }
  if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos) {
    target.remove_prefix(scheme + 3);
    const std::size_t end = target.find_first_of("/?");
    asked_host = target.substr(0, end);
    if (host.empty()) host = asked_host;
    target = end == std::string_view::npos ? std::string_view("/") : target.substr(end);
    if (target[0] == '?') target = in.arena.concat(std::string_view("/"), target);
  }
  if (host.empty()) return "the request has no host: write https://HOST/PATH, or -H 'Host: …'";
  if (!valid_authority(host)) return "\"" + text_of(host) + "\" is not a host";
  in.head.target = target;
  if (target.empty() || (target[0] != '/' && target != "*")) return "\"" + text_of(target) + "\" is not a path";
  in.head.authority = host;
  if (Refusal why = split_target(in.head); why.cause != Cause::kNone) return why.detail;
  in.target = text_of(in.head.target);
  for (const auto& [name, value] : request.headers) {
    if (!equals_ignore_case(name, "host")) in.head.fields.add(in.arena.copy(name), in.arena.copy(value));
  }
  std::string_view path;
  if (in.head.path != "*") {
    const Refusal why = normalise_path(in.head.path, encoded_slash_policy(listener), in.arena, path);
    if (why.cause != Cause::kNone) return std::string("the proxy answers 400: ") + why.detail;
    in.head.path = path;
    in.head.query = escape_unsendable(in.head.query, in.arena);
  }
  if (secure) {
    in.sni = request.sni ? *request.sni : text_of(bare_host(asked_host.empty() ? host : asked_host));
    if (IpAddress::parse(in.sni) || in.sni.starts_with('[')) in.sni.clear();  // RFC 6066 §3: only names are sent
    const bool h2 = !listener.http2 || **listener.http2;
    in.alpn = request.alpn.value_or(h2 ? "h2" : "http/1.1");
  }
  in.wall = request.wall != 0 ? request.wall : Clock().wall();
  in.client_text = request.from.empty() ? "127.0.0.1" : request.from;
  const auto address = IpAddress::parse(in.client_text);
  if (!address) return "\"" + in.client_text + "\" is not an address";
  in.client = *address;
  return {};
}

}  // namespace

std::string read(const config::Listener& listener, const std::vector<std::string>& header_names, std::uint16_t port,
                 const ExplainRequest& request, Incoming& in) {
  if (std::string why = take_apart(listener, request, in); !why.empty()) return why;
  in.port_text = port != 0 ? std::to_string(port) : "";
  in.peer_text = in.client.to_string();
  drop_underscored(underscores_policy(listener), header_names, in.head.fields);
  for (const Field& f : in.head.fields) {
    if (f.removed) in.dropped.push_back(text_of(f.name()));
  }
  const ForwardedPolicy policy = forwarded_policy(listener);
  in.trusted = contains(policy.trusted, in.client);
  const ForwardedPeer peer{in.client, in.client_text, in.head.scheme, in.port_text, in.head.authority, in.trusted};
  in.believed = believed(peer, in.head.fields);
  const IpAddress seen = client_address(policy, peer, in.head.fields);
  apply_forwarded(policy, peer, in.head.fields);
  in.client = seen;
  in.client_text = seen.to_string();
  return {};
}

}  // namespace albatross
