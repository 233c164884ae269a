#include "lint/outcome.h"

#include "config/scalar.h"

namespace albatross {
namespace {

using config::Action;

void add(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

std::string answer_of(const Action& a) {
  switch (a.kind) {
    case Action::Kind::kForward: {
      std::string out;
      const bool one = a.forward.groups.size() == 1;
      for (const config::WeightedGroup& g : a.forward.groups) {
        add(out, *g.name + (one ? "" : " " + std::to_string(*g.weight)));
      }
      if (a.forward.sticky) add(out, "sticky for " + config::to_text(a.forward.sticky->max_age));
      if (a.forward.rollout) add(out, "rollout to " + *a.forward.rollout->to);
      return "forward " + out;
    }
    case Action::Kind::kRedirect: {
      const config::Redirect& r = a.redirect;
      std::string out;
      const auto part = [&out](const char* name, const auto& value) {
        if (value) add(out, std::string(name) + " " + **value);
      };
      part("protocol", r.protocol);
      part("host", r.host);
      part("port", r.port);
      part("path", r.path);
      part("query", r.query);
      return "redirect " + std::to_string(*r.code) + " to " + out;
    }
    case Action::Kind::kFixedResponse:
      return "answer " + std::to_string(*a.fixed_response.code) + " " + a.fixed_response.body->substr(0, 80);
    default: return {};
  }
}

std::string edits_of(const std::vector<Action>& actions) {
  std::string out;
  for (const Action& a : actions) {
    if (a.kind == Action::Kind::kInsertHeader) add(out, "insert " + *a.header.name + ": " + *a.header.value);
    if (a.kind == Action::Kind::kRemoveHeader) add(out, "remove " + *a.header.name);
    if (a.kind != Action::Kind::kRewrite) continue;
    if (a.rewrite.host) add(out, "rewrite host " + **a.rewrite.host);
    if (a.rewrite.path) add(out, "rewrite path " + **a.rewrite.path);
    if (a.rewrite.query) add(out, "rewrite query " + **a.rewrite.query);
  }
  return out;
}

// The rule's own value, or the listener's.
template <class T>
const T& own_or(const std::optional<config::Value<T>>& own, const T& of_listener) {
  return own ? **own : of_listener;
}

std::string timeouts_of(const config::Listener& l, const config::RuleTimeouts& own) {
  std::string out;
  add(out, "request_body " + config::to_text(own_or(own.request_body, *l.timeouts.request_body)));
  add(out, "response " + config::to_text(own_or(own.response, *l.timeouts.response)));
  add(out, "send " + config::to_text(own_or(own.send, *l.timeouts.send)));
  add(out, "tunnel " + config::to_text(own_or(own.tunnel, *l.timeouts.tunnel)));
  const auto& total = own.total ? own.total : l.timeouts.total;
  if (total) add(out, "total " + config::to_text(**total));
  return out;
}

}  // namespace

Outcome outcome(const config::Listener& listener, std::size_t rule) {
  const bool by_default = rule >= listener.rules.size();
  static const config::Rule kNone;
  const config::Rule& r = by_default ? kNone : listener.rules[rule];
  const std::vector<Action>& actions = by_default ? listener.default_actions : r.actions;
  const auto& body = r.body_limit ? r.body_limit : listener.limits.body;
  return {{"rule", *listener.name + "/" + (by_default ? "default" : *r.name)},
          {"answer", actions.empty() ? "" : answer_of(actions.back())},
          {"edits", edits_of(actions)},
          {"timeouts", timeouts_of(listener, r.timeouts)},
          {"limits", body ? "body " + config::size_to_text(**body) : ""}};
}

Outcome refused(const std::string& why) {
  return {{"rule", ""}, {"answer", "refuse: " + why}, {"edits", ""}, {"timeouts", ""}, {"limits", ""}};
}

}  // namespace albatross
