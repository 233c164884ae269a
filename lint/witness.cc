#include "lint/witness.h"

#include <algorithm>

#include "routing/rules/regex.h"
#include "routing/rules/time_window.h"

namespace albatross {
namespace {

using config::Condition;
using config::Pattern;

// The wildcard with `many` for each * and one letter for each ?.
std::string filled(const std::string& pattern, const std::string& many) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += pattern[++i];
    } else if (pattern[i] == '*') {
      out += many;
    } else {
      out += pattern[i] == '?' ? 'x' : pattern[i];
    }
  }
  return out;
}

// The smallest and the largest text that RE2 says may match, where they do, and longer ones.
std::vector<std::string> of_regex(const Pattern& p) {
  constexpr int kLength = 64;
  const RE2 regex(p.text, regex_options(p.ignore_case, RegexBudget{}.pattern));
  std::string least, most;
  if (!regex.ok() || !regex.PossibleMatchRange(&least, &most, kLength)) return {};
  std::vector<std::string> out;
  for (const std::string& start : {least, "/" + least, most}) {
    for (const char* more : {"", "x", "/x", "0"}) {
      const std::string text = start + more;
      if (RE2::PartialMatch(piece(text), regex)) out.push_back(text);
    }
  }
  return out;
}

std::string escaped(const std::string& text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && std::string_view("&+%#").find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> witnesses(const Pattern& p) {
  switch (p.kind) {
    case Pattern::Kind::kExact: return {p.text};
    case Pattern::Kind::kPrefix: return {p.text, p.text + (p.text.ends_with('/') ? "x" : "/x"), p.text + "x"};
    case Pattern::Kind::kWildcard: return {filled(p.text, "x"), filled(p.text, ""), filled(p.text, "x/y")};
    case Pattern::Kind::kRange: return {std::to_string(p.least), std::to_string(p.most)};
    case Pattern::Kind::kRegex: return of_regex(p);
  }
  return {};
}

std::vector<std::string> witnesses(const config::TimeWindow& window) {
  constexpr std::size_t kEdges = 4;
  if (!time_zone_error(window.zone).empty()) return {};
  const auto now = static_cast<std::int64_t>(Clock().wall() / kSecond);
  const TimeSchedule schedule(window, now);
  std::vector<std::int64_t> times = {now};
  for (std::size_t i = 0; i < std::min(kEdges, schedule.edges().size()); ++i) {
    times.push_back(schedule.edges()[i]);
    times.push_back(schedule.edges()[i] - 1);
  }
  std::stable_partition(times.begin(), times.end(), [&](std::int64_t t) { return schedule.is_open(t); });
  std::vector<std::string> out;
  if (schedule.is_open(times[0])) {
    for (const std::int64_t t : times) out.push_back(std::to_string(t));
  }
  return out;
}

void Draft::set(const Condition& condition, const std::string& value) {
  switch (condition.kind) {
    case Condition::Kind::kHost: host = value; break;
    case Condition::Kind::kPath: path = value; break;
    case Condition::Kind::kMethod: method = value; break;
    case Condition::Kind::kSourceIp: from = value; break;
    case Condition::Kind::kSni: sni = value; break;
    case Condition::Kind::kAlpn: alpn = value; break;
    case Condition::Kind::kTime: wall = static_cast<Nanos>(std::stoll(value)) * kSecond; break;
    case Condition::Kind::kItems:
    case Condition::Kind::kHeader: headers[condition.name] = value; break;
    case Condition::Kind::kCookie: cookies[condition.name] = value; break;
    case Condition::Kind::kQuery: query[condition.name] = value; break;
    case Condition::Kind::kNot:
    case Condition::Kind::kAll:
    case Condition::Kind::kAny: break;
  }
}

// Makes the draft meet the condition; false if no value for it was found.
bool meet(const Condition& c, Draft& draft) {
  switch (c.kind) {
    case Condition::Kind::kNot: return true;
    case Condition::Kind::kAll:
      return std::all_of(c.inner.begin(), c.inner.end(), [&draft](const Condition& one) { return meet(one, draft); });
    case Condition::Kind::kAny:
      return std::any_of(c.inner.begin(), c.inner.end(), [&draft](const Condition& one) { return meet(one, draft); });
    case Condition::Kind::kSourceIp:
      if (!c.networks.empty()) draft.set(c, c.networks[0]->substr(0, c.networks[0]->find('/')));
      return true;
    default: break;
  }
  std::vector<std::string> values;
  if (c.kind == Condition::Kind::kTime) values = witnesses(c.time);
  if (!c.patterns.empty()) values = witnesses(c.patterns[0]);
  if (!values.empty()) draft.set(c, values[0]);
  return !values.empty();
}

ExplainRequest Draft::request(const config::Listener& listener) const {
  ExplainRequest r;
  r.method = method;
  r.from = from;
  r.sni = sni;
  r.alpn = alpn;
  r.wall = wall;
  const bool secure = *listener.protocol == config::Listener::Protocol::kHttps;
  const std::uint16_t port = listener.bind.port;
  const bool usual = port == (secure ? 443 : 80) || port == 0;
  r.url = std::string(secure ? "https://" : "http://") + host + (usual ? "" : ":" + std::to_string(port)) + path;
  char separator = '?';
  for (const auto& [name, value] : query) {
    r.url += separator + escaped(name) + "=" + escaped(value);
    separator = '&';
  }
  for (const auto& [name, value] : headers) r.headers.emplace_back(name, value);
  std::string all;
  for (const auto& [name, value] : cookies) all += (all.empty() ? "" : "; ") + name + "=" + value;
  if (!all.empty()) r.headers.emplace_back("Cookie", all);
  return r;
}

std::optional<ExplainRequest> witness(const config::Listener& listener, const std::vector<Condition>& conditions) {
  Draft draft;
  for (const Condition& c : conditions) {
    if (!meet(c, draft)) return std::nullopt;
  }
  return draft.request(listener);
}

}  // namespace albatross
