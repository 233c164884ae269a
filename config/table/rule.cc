// Rules and their conditions.
#include "base/text.h"
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;
using Kind = Condition::Kind;

constexpr const char* kConditionExample = "{path: \"/api/*\"}";

Type<std::string> lower_case(Type<std::string> type) {
  TypeInfo info = type.info;
  return {std::move(info), [type = std::move(type)](Decoder& d, const Node& node, std::string& out) {
            if (!type.decode(d, node, out)) return false;
            out = ascii_lower(out);
            return true;
          }};
}

// header, cookie and query: a name and the patterns of its value.
Object<Condition> named_condition(const std::string& object, Type<std::string> type, const std::string& what) {
  Object<Condition> t(object, "A condition on " + what + ".");
  t.field("name", &Condition::name, std::move(type), "Its name.").required();
  t.field("values", &Condition::patterns, list_of<Pattern>(value_pattern(), 1, true),
          "What its value may be; `\"*\"` for any. Without the field itself nothing matches.")
      .required();
  return t;
}

const Object<Condition>& header_condition() {
  static const Object<Condition> table =
      named_condition("header_condition", lower_case(token("header name")), "a header, each of its lines by itself");
  return table;
}

const Object<Condition>& cookie_condition() {
  static const Object<Condition> table = named_condition("cookie_condition", token("cookie name"), "a cookie");
  return table;
}

const Object<Condition>& query_condition() {
  static const Object<Condition> table =
      named_condition("query_condition", text(), "a query parameter, percent-decoded");
  return table;
}

template <Kind K>
Condition& whole(Condition& condition) {
  condition.kind = K;
  return condition;
}

const Object<RuleTimeouts>& rule_timeouts() {
  static const Object<RuleTimeouts> table = [] {
    Object<RuleTimeouts> t("rule_timeouts", "What a rule changes of its listener's timeouts.");
    t.field("request_body", &RuleTimeouts::request_body, duration(1ms, 24h), "The longest gap in a request's body.")
        .otherwise("the listener's");
    t.field("response", &RuleTimeouts::response, duration(1s, 3600s),
            "From the end of the request to the response's head, then the longest gap in its body.")
        .otherwise("the listener's");
    t.field("send", &RuleTimeouts::send, duration(1ms, 24h), "A client that reads nothing for this long is cut off.")
        .otherwise("the listener's");
    t.field("total", &RuleTimeouts::total, duration(1ms, 24h), "The whole exchange.").otherwise("the listener's");
    t.field("tunnel", &RuleTimeouts::tunnel, duration(1ms, 24h), "An idle WebSocket.").otherwise("the listener's");
    return t;
  }();
  return table;
}

const Object<Rule>& rule_limits() {
  static const Object<Rule> table = [] {
    Object<Rule> t("rule_limits", "What a rule limits.");
    t.field("body", &Rule::body_limit, size(0, std::uint64_t{1} << 40), "The largest request body; above it 413.")
        .otherwise("the listener's");
    return t;
  }();
  return table;
}

Rule& self(Rule& rule) { return rule; }

}  // namespace

const Object<Condition>& condition_table() {
  static const Object<Condition> table = [] {
    Object<Condition> t("condition",
                        "One thing that must hold of a request; any of its values may. Exactly one of these keys.");
    t.one_key();
    t.field("host", as<Kind::kHost, &Condition::patterns>, list_of<Pattern>(host_pattern(), 1, true),
            "The host, without case and port; `*.` spans labels.");
    t.field("path", as<Kind::kPath, &Condition::patterns>, list_of<Pattern>(path_pattern(), 1, true),
            "The normalised path, with case.");
    t.field("header", whole<Kind::kHeader>,
            object("header_condition", header_condition, "{name: user-agent, values: [\"*Mobile*\"]}"), "A header.");
    t.field("cookie", whole<Kind::kCookie>,
            object("cookie_condition", cookie_condition, "{name: canary, values: [always]}"), "A cookie.");
    t.field("query", whole<Kind::kQuery>,
            object("query_condition", query_condition, "{name: version, values: [\"2\"]}"), "A query parameter.");
    t.field("method", as<Kind::kMethod, &Condition::patterns>, list_of<Pattern>(method(), 1, true), "The method.");
    t.field("source_ip", as<Kind::kSourceIp, &Condition::networks>, list_of<Value<std::string>>(network(), 1, true),
            "The client's address.");
    t.field("not", as<Kind::kNot, &Condition::negated>,
            just_one(object("condition", condition_table, kConditionExample)),
            "Holds if the condition in it does not.");
    return t;
  }();
  return table;
}

const Object<Rule>& rule_table() {
  static const Object<Rule> table = [] {
    Object<Rule> t("rule",
                   "What to do with the requests that meet all of its conditions. The first rule that matches wins.");
    t.field("name", &Rule::name, name(), "Unique on its listener; LISTENER/RULE is its address.").required();
    t.field("priority", &Rule::priority, number(1, 50000), "The lowest is tried first; unique on its listener.")
        .required();
    t.field("conditions", &Rule::conditions,
            list_of<Condition>(object("condition", condition_table, kConditionExample)), "All must hold.")
        .otherwise("matches everything");
    t.field("actions", &Rule::actions, action_list(), "Done in order; the last one answers.").required();
    t.field("timeouts", &Rule::timeouts, object("rule_timeouts", rule_timeouts, "{response: 30s}"),
            "Narrows or widens the listener's.")
        .otherwise("the listener's");
    t.field("limits", self, object("rule_limits", rule_limits, "{body: 10MiB}"), "Limits of its own.")
        .otherwise("the listener's");
    return t;
  }();
  return table;
}

Type<std::vector<Rule>> rule_list() {
  return list_of<Rule>(object("rule", rule_table, "{name: api, priority: 10, actions: [forward: blue]}"));
}

void add_rule_tables(Tables& tables) {
  for (const ObjectInfo* info :
       {&rule_table().info(), &rule_timeouts().info(), &rule_limits().info(), &condition_table().info(),
        &header_condition().info(), &cookie_condition().info(), &query_condition().info()}) {
    tables.push_back(info);
  }
}

}  // namespace albatross::config
