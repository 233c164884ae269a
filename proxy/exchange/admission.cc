#include "proxy/exchange/admission.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "http/forwarded.h"
#include "http/uri.h"
#include "tls/tls_info.h"

namespace albatross {
namespace {

constexpr int kMaxPasses = 16;
constexpr int kMaxInstances = 16;

bool valid_request_id(std::string_view id) { return !id.empty() && id.size() <= 128 && is_token(id); }

// "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context), not all zero.
bool valid_traceparent(std::string_view t) {
  if (t.size() < 55 || t[2] != '-' || t[35] != '-' || t[52] != '-') return false;
  bool trace = false, span = false;
  for (std::size_t i = 0; i < 55; ++i) {
    if (i == 2 || i == 35 || i == 52) continue;
    bool hex = (t[i] >= '0' && t[i] <= '9') || (t[i] >= 'a' && t[i] <= 'f');
    if (!hex) return false;
    if (i > 2 && i < 35) trace |= t[i] != '0';
    if (i > 35 && i < 52) span |= t[i] != '0';
  }
  return trace && span && (t.size() == 55 ? t.substr(0, 2) != "ff" : t.substr(0, 2) != "00");
}

// "Albatross-Trace: 1a2b3c4d=2, …": how often each instance has seen this request. Adds one for this process.
Refusal count_loop(const std::string& me, Head& head, Arena& arena) {
  const std::string_view before = head.fields.joined(HeaderId::kAlbatrossTrace);
  char* text = arena.bytes(before.size() + me.size() + 2 * kMaxInstances + 8);
  char* p = text;
  int passes = 0, instances = 0;
  for_each_token(before, [&](std::string_view t) {
    std::size_t eq = t.find('=');
    if (eq == std::string_view::npos || ++instances > kMaxInstances) return;
    if (t.substr(0, eq) == me) {
      std::from_chars(t.data() + eq + 1, t.data() + t.size(), passes);
      return;
    }
    p = std::copy_n(t.data(), t.size(), p);
    p = std::copy_n(", ", 2, p);
  });
  if (passes >= kMaxPasses || instances > kMaxInstances) return {Cause::kLoop, nullptr};
  p = std::copy_n(me.data(), me.size(), p);
  *p++ = '=';
  p = std::to_chars(p, p + 4, passes + 1).ptr;
  head.fields.set(HeaderId::kAlbatrossTrace, "Albatross-Trace", {text, static_cast<std::size_t>(p - text)});
  return {};
}

// RFC 9113 §9.1.1: a client may send requests for any name on one connection if the certificate covers it.
bool misdirected(const Connection& client, const Head& head) {
  if (!client.can().multiplexes) return false;
  const TlsInfo* tls = client.tls();
  if (tls == nullptr || tls->sni.empty()) return false;
  std::string_view host = host_of(head.authority);
  return !equals_ignore_case(host, tls->sni) && !client.covers(host);
}

}  // namespace

void identify(Services& services, Head& head, Arena& arena, Account& account) {
  if (const Field* id = head.fields.find(HeaderId::kXRequestId); id != nullptr && valid_request_id(id->value())) {
    account.request_id = id->value();
    if (head.fields.count(HeaderId::kXRequestId) > 1)
      head.fields.set(HeaderId::kXRequestId, "X-Request-Id", account.request_id);
  } else {
    char* text = arena.bytes(32);
    write_hex(write_hex(text, services.random.next(), 16), services.random.next(), 16);
    account.request_id = {text, 32};
    head.fields.set(HeaderId::kXRequestId, "X-Request-Id", account.request_id);
  }
  std::string_view parent = head.fields.value(HeaderId::kTraceparent);
  if (!valid_traceparent(parent) || head.fields.count(HeaderId::kTraceparent) > 1) {
    char* text = arena.bytes(55);
    char* p = text;
    std::memcpy(p, "00-", 3);
    p = write_hex(write_hex(p + 3, services.random.next(), 16), services.random.next() | 1, 16);
    *p++ = '-';
    p = write_hex(p, services.random.next() | 1, 16);
    std::memcpy(p, "-00", 3);
    parent = {text, 55};
    head.fields.set(HeaderId::kTraceparent, "traceparent", parent);
    head.fields.remove(HeaderId::kTracestate);
  }
  account.trace_id = parent.substr(3, 32);
}

Refusal admit(Services& services, const ListenerRuntime& listener, Connection& client, Head& head, Arena& arena) {
  if (head.path != "*") {
    if (Refusal why = normalise_path(head.path, listener.slashes, arena, head.path); why.cause != Cause::kNone)
      return why;
    if (!is_ascii(head.query)) head.query = escape_unsendable(head.query, arena);
  }
  if (listener.strict_sni && misdirected(client, head)) return {Cause::kMisdirected, nullptr};
  return count_loop(services.settings.instance, head, arena);
}

std::unique_ptr<AskedRequest> asked_request(const ListenerRuntime& listener, const Request& r) {
  if (r.head.fields.find(HeaderId::kXAlbatrossExplain) == nullptr || !r.services.settings.asked) return nullptr;
  auto asked = std::make_unique<AskedRequest>();
  asked->listener = listener.name;
  asked->request_id = r.account.request_id;
  asked->method = r.head.method_text;
  asked->target = r.head.target;
  asked->host = r.head.authority;
  if (const TlsInfo* tls = r.client->tls()) {
    asked->sni = tls->sni;
    asked->alpn = tls->alpn;
  }
  asked->peer = r.client->info().client_text();
  for (const Field& f : r.head.fields) {
    if (!f.removed && f.id != HeaderId::kXAlbatrossExplain) asked->headers.emplace_back(f.name(), f.value());
  }
  return asked;
}

std::string_view explanation(const Account& account, Arena& arena) {
  const std::string_view rule = account.rule.empty() ? "default" : account.rule;
  std::string_view out = arena.concat(std::string_view("rule="), account.listener, std::string_view("/"), rule);
  if (!account.group.empty()) out = arena.concat(out, std::string_view(", group="), account.group);
  if (account.has_upstream) out = arena.concat(out, std::string_view(", server="), account.upstream);
  return out;
}

IpAddress forward_identity(const ListenerRuntime& listener, Request& r) {
  const ConnectionInfo& client = r.client->info();
  const ForwardedPolicy& policy = listener.forwarded;
  Fields& fields = r.head.fields;
  ForwardedPeer peer{client.client,      client.client_text(), r.head.scheme,
                     listener.port_text, r.head.authority,     contains(policy.trusted, client.client)};
  r.believed = believed(peer, fields);
  const IpAddress address = client_address(policy, peer, fields);
  if (address != peer.address) {
    char* text = r.arena.bytes(46);
    r.account.client = {text, address.format(text)};
  }
  apply_forwarded(policy, peer, fields);
  return address;
}

}  // namespace albatross
