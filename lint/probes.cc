#include "lint/probes.h"

#include <algorithm>
#include <map>
#include <random>

#include "lint/classes.h"
#include "lint/outcome.h"
#include "routing/rules/account.h"

namespace albatross {
namespace {

using config::Condition;

// A condition and a value that meets it.
struct Atom {
  const Condition* condition;
  std::string value;
};

void collect(const Condition& c, std::vector<Atom>& out) {
  for (const Condition& inner : c.inner) collect(inner, out);  // what it forbids shows a difference, too
  for (const config::Pattern& p : c.patterns) {
    for (std::string& value : witnesses(p)) out.push_back({&c, std::move(value)});
  }
  if (c.kind == Condition::Kind::kTime) {
    for (std::string& value : witnesses(c.time)) out.push_back({&c, std::move(value)});
  }
  for (const auto& network : c.networks) out.push_back({&c, network->substr(0, network->find('/'))});
}

// What a condition offers.
struct Choice {
  bool negated = false;
  std::vector<Atom> atoms;
};

class Probes {
 public:
  Probes(const config::Listener& before, const config::Listener& after, const std::function<void(const Draft&)>& ask)
      : ask_(ask) {
    add(before, after);
    add(after, before);
  }

  void run() {
    ask_(Draft{});
    ask_(nothing());
    for (const Atom& a : all_) alone(a);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      for (int k = 0; k < kOfEachRule; ++k) ask_(of_rule(i, k == 0 ? Draft{} : base()));
    }
    if (rules_.empty()) return;
    for (std::size_t n = 0; n < kMixed; ++n) mix(below(rules_.size()));
    // What differs comes from the rules that have changed.
    for (const std::size_t i : changed_) {
      for (std::size_t n = 0; n < std::max<std::size_t>(kMixed / changed_.size(), kOfEachRule); ++n) mix(i);
    }
  }

 private:
  static constexpr int kOfEachRule = 4;
  static constexpr std::size_t kMixed = 4000;

  void add(const config::Listener& listener, const config::Listener& other) {
    std::map<std::string, std::string> there;
    for (std::size_t i = 0; i < other.rules.size(); ++i) there[*other.rules[i].name] = text_of(other, i);
    for (std::size_t i = 0; i < listener.rules.size(); ++i) {
      const config::Rule& r = listener.rules[i];
      if (const auto same = there.find(*r.name); same == there.end() || same->second != text_of(listener, i)) {
        changed_.push_back(rules_.size());
      }
      rules_.emplace_back();
      for (const Condition& c : r.conditions) {
        Choice& choice = rules_.back().emplace_back();
        choice.negated = c.kind == Condition::Kind::kNot;
        collect(c, choice.atoms);
        all_.insert(all_.end(), choice.atoms.begin(), choice.atoms.end());
      }
    }
  }

  static std::string text_of(const config::Listener& listener, std::size_t rule) {
    std::string out = std::to_string(*listener.rules[rule].priority);
    for (const Condition& c : listener.rules[rule].conditions) out += " " + to_text(c);
    for (const auto& [aspect, text] : outcome(listener, rule)) out += " " + text;
    return out;
  }

  // A request for the rule with some values that others look for.
  void mix(std::size_t rule) {
    Draft draft = of_rule(rule, base());
    for (std::size_t more = below(4); more > 0; --more) set(draft, all_);
    ask_(draft);
  }

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  void set(Draft& draft, const std::vector<Atom>& from) {
    if (from.empty()) return;
    const Atom& a = from[below(from.size())];
    draft.set(*a.condition, a.value);
  }

  // What hardly any condition looks for.
  static Draft nothing() {
    Draft draft;
    draft.method = "OTHER";
    draft.host = "other.invalid";
    draft.path = "/-/other";
    draft.from = "192.0.2.1";
    return draft;
  }

  Draft base() { return below(2) == 0 ? Draft{} : nothing(); }

  void alone(const Atom& a) {
    Draft draft;
    draft.set(*a.condition, a.value);
    ask_(draft);
  }

  // With a value for each condition of the rule; those of `not` only sometimes.
  Draft of_rule(std::size_t i, Draft draft) {
    for (const Choice& c : rules_[i]) {
      if (!c.negated || below(2) == 0) set(draft, c.atoms);
    }
    return draft;
  }

  const std::function<void(const Draft&)>& ask_;
  std::vector<std::vector<Choice>> rules_;  // of each condition of each rule
  std::vector<std::size_t> changed_;        // of rules_
  std::vector<Atom> all_;
  std::mt19937_64 random_{1};
};

constexpr double kMostCombinations = 50'000;

double combinations(const std::vector<RequestPart>& parts) {
  double out = 1;
  for (const RequestPart& p : parts) out *= static_cast<double>(p.values.size());
  return out;
}

// Each value of each part with each of the others: nothing that the rules can tell apart is left out.
void combine(const std::vector<RequestPart>& parts, std::size_t at, const Draft& draft,
             const std::function<void(const Draft&)>& ask) {
  if (at == parts.size()) return ask(draft);
  for (std::size_t i = 0; i < parts[at].values.size(); ++i) {
    Draft next = draft;
    parts[at].set(next, i);
    combine(parts, at + 1, next, ask);
  }
}

}  // namespace

void probe(const config::Listener& before, const config::Listener& after,
           const std::function<void(const Draft& draft)>& ask) {
  const std::vector<RequestPart> parts = request_parts(before, after);
  if (!parts.empty() && combinations(parts) <= kMostCombinations) {
    combine(parts, 0, Draft{}, ask);
  } else {
    Probes(before, after, ask).run();
  }
}

}  // namespace albatross
