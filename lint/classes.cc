#include "lint/classes.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "lint/incoming.h"

namespace albatross {
namespace {

using config::Condition;
using Kind = Condition::Kind;
using Value = std::optional<std::string>;

constexpr std::size_t kMostConditions = 300;
constexpr int kMixed = 200;  // values made of the pieces of others

void add_leaves(const Condition& c, std::vector<const Condition*>& out) {
  if (c.kind != Kind::kNot && c.kind != Kind::kAll && c.kind != Kind::kAny) out.push_back(&c);
  for (const Condition& inner : c.inner) add_leaves(inner, out);
}

// Conditions that look at the same part have the same key.
std::pair<Kind, std::string> part_of(const Condition& c) {
  return {c.kind == Kind::kItems ? Kind::kHeader : c.kind, c.name};
}

// The pieces of the text between separators.
void add_pieces(const std::string& text, char separator, std::vector<std::string>& out) {
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
}

// What to try for the part: what its patterns match, what they just do not, mixtures, and something else.
std::vector<Value> candidates(Kind kind, const std::vector<const Condition*>& conditions, std::mt19937_64& random) {
  std::vector<Value> out;
  std::vector<std::string> found;
  for (const Condition* c : conditions) {
    for (const config::Pattern& p : c->patterns) {
      for (std::string& text : witnesses(p)) found.push_back(std::move(text));
      if (p.kind == config::Pattern::Kind::kRange) {
        found.push_back(std::to_string(p.least - 1));
        found.push_back(std::to_string(p.most + 1));
      }
    }
    for (const auto& network : c->networks) found.push_back(network->substr(0, network->find('/')));
    if (kind == Kind::kTime) {
      for (std::string& time : witnesses(c->time)) found.push_back(std::move(time));
    }
  }
  switch (kind) {
    case Kind::kHost: out = {"example.com", "other.invalid"}; break;
    case Kind::kPath: out = {"/", "/-/other"}; break;
    case Kind::kMethod: out = {"GET", "OTHER"}; break;
    case Kind::kSourceIp: out = {"127.0.0.1", "192.0.2.1", "2001:db8::1"}; break;
    case Kind::kTime: out = {std::nullopt}; break;  // now
    case Kind::kSni:
    case Kind::kAlpn: out = {""}; break;  // said outright: without a value a client asks for the host
    default: out = {std::nullopt, "other"};
  }
  out.insert(out.end(), found.begin(), found.end());
  const bool path = kind == Kind::kPath, name = kind == Kind::kHost || kind == Kind::kSni;
  if (kind == Kind::kMethod || kind == Kind::kSourceIp || kind == Kind::kTime || kind == Kind::kAlpn) return out;
  std::vector<std::string> pieces;
  for (const std::string& text : found) add_pieces(text, path ? '/' : name ? '.' : '\0', pieces);
  std::sort(pieces.begin(), pieces.end());
  pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
  if (pieces.empty()) return out;
  const auto piece = [&] { return pieces[random() % pieces.size()]; };
  for (int i = 0; i < kMixed; ++i) {
    std::string text = path ? "/" + piece() : piece();
    for (std::uint64_t more = random() % 4; more > 0; --more) {
      const bool list = !path && !name && random() % 2 == 0;
      text += (path ? "/" : name ? "." : list ? ", " : "") + piece();
    }
    if (random() % 8 == 0) text += path ? "/" : "x";
    out.emplace_back(std::move(text));
  }
  return out;
}

class Classes {
 public:
  Classes(const config::Listener& before, const config::Listener& after, const std::vector<const Condition*>& all)
      : listeners_{&before, &after} {
    for (const Condition* c : all) {
      if (part_of(*c).first == Kind::kHeader && c->name.find('_') == std::string::npos)
        header_names_.push_back(c->name);
    }
    std::sort(header_names_.begin(), header_names_.end());
  }

  // A part with one value for each set of conditions that hold.
  RequestPart make(const std::vector<const Condition*>& conditions) {
    std::vector<std::unique_ptr<RuleTable::Matcher>> matchers;
    for (const Condition* c : conditions) matchers.push_back(matcher_of(*c));
    RequestPart part;
    part.about = conditions[0];
    std::set<std::vector<bool>> seen;
    for (Value& value : candidates(part_of(*part.about).first, conditions, random_)) {
      Draft draft;
      if (value) draft.set(*part.about, *value);
      std::vector<bool> holds;
      for (const config::Listener* l : listeners_) {
        Incoming in;
        const bool is_request = read(*l, header_names_, 0, draft.request(*l), in).empty();
        for (const auto& m : matchers) holds.push_back(is_request && m != nullptr && m->match(in.query()).rule == 0);
      }
      if (seen.insert(std::move(holds)).second) part.values.push_back(std::move(value));
    }
    return part;
  }

 private:
  // Of a table whose only rule has only that condition.
  static std::unique_ptr<RuleTable::Matcher> matcher_of(const Condition& c) {
    config::Listener one;
    one.rules.emplace_back().conditions = {c};
    config::Diagnostics unused("", "");  // check has said it
    const auto table = RuleTable::compile(one, "", unused);
    return table == nullptr ? nullptr : table->make_matcher();
  }

  const config::Listener* const listeners_[2];  // which may see the same request differently
  std::vector<std::string> header_names_;       // that rules look at
  std::mt19937_64 random_{1};
};

}  // namespace

std::vector<RequestPart> request_parts(const config::Listener& before, const config::Listener& after) {
  std::vector<const Condition*> all;
  for (const config::Listener* l : {&before, &after}) {
    for (const config::Rule& r : l->rules) {
      for (const Condition& c : r.conditions) add_leaves(c, all);
    }
  }
  std::vector<RequestPart> out;
  if (all.size() > kMostConditions) return out;
  std::map<std::pair<Kind, std::string>, std::vector<const Condition*>> parts;
  for (const Condition* c : all) parts[part_of(*c)].push_back(c);
  Classes classes(before, after, all);
  for (const auto& [key, conditions] : parts) {
    if (RequestPart part = classes.make(conditions); !part.values.empty()) out.push_back(std::move(part));
  }
  return out;
}

}  // namespace albatross
