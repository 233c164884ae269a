#include "proxy/exchange/stickiness.h"

#include <charconv>

#include "proxy/exchange/own_answer.h"
#include "proxy/upstream/group.h"
#include "routing/rules/condition.h"

namespace albatross {

GroupChoice choose_group(Services& services, const Route& route, const Head& head) {
  if (route.one_target) return {route.first_group, false, 0};
  auto weight = [](const ForwardTarget& t) { return t.weight.load(std::memory_order_relaxed); };
  const auto count = static_cast<std::uint32_t>(route.targets.size());
  if (route.sticky != 0) {
    if (auto cookie = find_cookie(head.fields, route.sticky_cookie)) {
      for (std::uint32_t i = 0; i < count; ++i) {
        const ForwardTarget& t = route.targets[i];
        const GroupState* group = services.group(t.group);
        if (weight(t) > 0 && *cookie == t.slot->name && group != nullptr && group->any_usable())
          return {t.group, false, i};
      }
    }
  }
  const bool set_cookie = route.sticky != 0;
  std::uint64_t total = 0;
  for (const ForwardTarget& t : route.targets) total += weight(t);
  std::uint64_t at = services.random.below(total);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t w = weight(route.targets[i]);
    if (at < w) return {route.targets[i].group, set_cookie, i};
    at -= w;
  }
  return {route.targets[0].group, set_cookie, 0};  // every weight is 0: the first group, which may still be healthy
}

std::uint64_t server_key(Services& services, const HashSource& by, const Head& head, std::string_view client) {
  std::optional<std::string_view> text;
  switch (by.on) {
    case HashSource::On::kSourceIp: text = client; break;
    case HashSource::On::kPath: text = head.path; break;
    case HashSource::On::kCookie: text = find_cookie(head.fields, by.name); break;
    case HashSource::On::kQuery:
      any_parameter(head.query, by.name, [&text](std::string_view value) {
        text = value;
        return true;
      });
      break;
    case HashSource::On::kHeader:
      if (const Field* f = head.fields.find(by.name)) text = f->value();
      break;
  }
  return text ? hash_key(*text) : services.random.next();
}

int sticky_server(const GroupRuntime& group, const Head& head) {
  constexpr std::size_t kDigits = 16;
  auto cookie = find_cookie(head.fields, group.sticky.cookie);
  if (!cookie || cookie->size() != kDigits) return Balancer::kNone;
  std::uint64_t number = 0;
  const char* end = cookie->data() + kDigits;
  if (std::from_chars(cookie->data(), end, number, 16).ptr != end) return Balancer::kNone;
  auto it = group.sticky.servers.find(number);
  return it != group.sticky.servers.end() ? it->second : Balancer::kNone;
}

namespace {

std::string_view attributes(bool secure, SameSite same_site) {
  switch (same_site) {
    case SameSite::kStrict: return secure ? "; HttpOnly; Secure; SameSite=Strict" : "; HttpOnly; SameSite=Strict";
    case SameSite::kNone: return "; HttpOnly; Secure; SameSite=None";
    default: return secure ? "; HttpOnly; Secure; SameSite=Lax" : "; HttpOnly; SameSite=Lax";
  }
}

bool sets_cookie(const Head& head, std::string_view name) {
  for (const Field& f : head.fields) {
    if (f.id != HeaderId::kSetCookie || f.removed) continue;
    if (f.value().substr(0, f.value().find('=')) == name) return true;
  }
  return false;
}

}  // namespace

void add_group_cookie(const Route& route, std::string_view group, bool secure, Arena& arena, Head& head) {
  std::string_view value =
      arena.concat(route.sticky_cookie, std::string_view("="), group, std::string_view("; Path=/; Max-Age="),
                   number_text(route.sticky / kSecond, arena), attributes(secure, route.samesite));
  head.fields.add(HeaderId::kSetCookie, "Set-Cookie", value);
}

void add_server_cookie(const GroupRuntime& group, int candidate, bool secure, Arena& arena, Head& head) {
  const StickySettings& sticky = group.sticky;
  const bool by_app = !sticky.app_cookie.empty();
  if (by_app && !sets_cookie(head, sticky.app_cookie)) return;
  std::string_view age;
  if (!by_app) age = arena.concat(std::string_view("; Max-Age="), number_text(sticky.max_age / kSecond, arena));
  const ServerEntry& server = group.servers[static_cast<std::size_t>(candidate)];
  std::string_view value = arena.concat(sticky.cookie, std::string_view("="), server.sticky_value,
                                        std::string_view("; Path=/"), age, attributes(secure, sticky.samesite));
  head.fields.add(HeaderId::kSetCookie, "Set-Cookie", value);
}

}  // namespace albatross
