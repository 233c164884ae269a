// Rules and their conditions.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "config/table/table.h"
#include "config/table/time.h"
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

using Patterns = std::vector<Pattern>;

Condition& itself(Condition& condition) { return condition; }

// Fields that are removed before rules see a request: those of one connection or of the framing (RFC 9110 §7.6.1, RFC
// 9112 §6), and Proxy.
constexpr std::string_view kRemoved[] = {"connection",        "content-length", "expect",  "http2-settings",
                                         "keep-alive",        "proxy",          "trailer", "proxy-connection",
                                         "transfer-encoding", "upgrade"};

// A condition on one of them could never hold.
Type<std::string> visible_header() {
  return checked(lower_case(token("header name")), [](const std::string& name) -> std::pair<std::string, std::string> {
    if (name == "host") return {"conditions do not treat the host as a header", "write host: [...]"};
    if (std::find(std::begin(kRemoved), std::end(kRemoved), name) == std::end(kRemoved)) return {};
    return {name + " is removed before rules see it, so this never matches", "match on another header"};
  });
}

// `true` is any value, `false` none at all.
Type<Condition> presence() {
  const Type<bool> type = boolean();
  return {type.info, [type](Decoder& d, const Node& node, Condition& out) {
            bool present = false;
            if (!type.decode(d, node, present)) return false;
            out.patterns = {Pattern{Pattern::Kind::kWildcard, false, "*", node.at}};
            if (present) return true;
            Condition there = std::move(out);
            there.at = node.at;
            out = Condition{};
            out.kind = Kind::kNot;
            out.inner.push_back(std::move(there));
            return true;
          }};
}

// `[1, 10]`: both ends belong to it.
Type<Patterns> number_range() {
  TypeInfo info{"list of two integers",
                {},
                {{"type", "array"}, {"items", {{"type", "integer"}}}, {"minItems", 2}, {"maxItems", 2}}};
  return {std::move(info), [](Decoder& d, const Node& node, Patterns& out) {
            const std::string hint = "write it like [1, 10]";
            if (node.kind != Node::Kind::kSequence || node.items.size() != 2) {
              d.error(node.at, "a range has two numbers", hint);
              return false;
            }
            Pattern p;
            p.kind = Pattern::Kind::kRange;
            p.at = node.at;
            std::int64_t* const ends[] = {&p.least, &p.most};
            for (std::size_t i = 0; i < 2; ++i) {
              const auto text = d.text(node.items[i]);
              if (!text) return false;
              const char* const last = text->data() + text->size();
              const auto [end, error] = std::from_chars(text->data(), last, *ends[i]);
              if (error == std::errc() && end == last) continue;
              d.error(node.items[i].at, "\"" + text->substr(0, 64) + "\" is not an integer", hint);
              return false;
            }
            if (p.least > p.most) {
              d.error(node.at, "the range is empty", "the first number is the lower one");
              return false;
            }
            out = {std::move(p)};
            return true;
          }};
}

// Of the keys besides the name, exactly one.
bool one_test(Decoder& d, const Node& node, Condition&) {
  const std::size_t tests = node.entries.size() - (node.find("name") != nullptr ? 1 : 0);
  if (tests == 1) return true;
  d.error(node.at, tests == 0 ? "the condition has a name, but no test" : "the condition has more than one test",
          tests == 0 ? "add values, present or range" : "start another list item for each");
  return false;
}

// header, cookie and query: a name and what its value must be.
Object<Condition> named_condition(const std::string& object, Type<std::string> type, const std::string& what) {
  Object<Condition> t(object, "A condition on " + what + ". It has a name and exactly one of the other keys.");
  t.field("name", &Condition::name, std::move(type), "The name to look for.").required();
  t.field("values", &Condition::patterns, list_of<Pattern>(value_pattern(), 1, true),
          "The patterns. The value must match one of them; `\"*\"` matches any value. A request without the name does "
          "not match.")
      .otherwise("none");
  t.field("range", &Condition::patterns, number_range(),
          "The lowest and the highest integer that the value may be, such as `[1, 10]`.")
      .otherwise("none");
  t.field("present", itself, presence(), "`true`: the request has it, whatever the value. `false`: it does not.")
      .otherwise("none");
  t.also(one_test);
  return t;
}

const Object<Condition>& header_condition() {
  static const Object<Condition> table = [] {
    auto t = named_condition("header_condition", visible_header(), "a header. Each field line is matched on its own");
    t.field("items", as<Kind::kItems, &Condition::patterns>, list_of<Pattern>(value_pattern(), 1, true),
            "The patterns, for a header that is a list such as Accept-Encoding: one of its members, which commas "
            "separate, must match one of them.")
        .otherwise("none");
    return t;
  }();
  return table;
}

const Object<Condition>& cookie_condition() {
  static const Object<Condition> table = named_condition("cookie_condition", token("cookie name"), "a cookie");
  return table;
}

const Object<Condition>& query_condition() {
  static const Object<Condition> table =
      named_condition("query_condition", text(), "a query parameter, after percent-decoding");
  return table;
}

// A protocol of ALPN that this proxy chooses. Others could never match.
Type<Pattern> protocol() {
  const Type<std::string> plain = known_name("protocol", {"h2", "http/1.1"});
  return {plain.info, [plain](Decoder& d, const Node& node, Pattern& out) {
            out = Pattern{};
            out.at = node.at;
            return plain.decode(d, node, out.text);
          }};
}

template <Kind K>
Condition& whole(Condition& condition) {
  condition.kind = K;
  return condition;
}

const Object<RuleTimeouts>& rule_timeouts() {
  static const Object<RuleTimeouts> table = [] {
    Object<RuleTimeouts> t("rule_timeouts", "The timers of a rule.");
    t.field("request_body", &RuleTimeouts::request_body, duration(1ms, 24h),
            "The longest pause within a request's body.")
        .otherwise("the listener's");
    t.field("request_body_rate", &RuleTimeouts::request_body_rate, size(0, std::uint64_t{1} << 30),
            "The lowest average rate of a request's body, in bytes per second. 0B turns the limit off.")
        .otherwise("the listener's");
    t.field("response", &RuleTimeouts::response, duration(1s, 3600s),
            "The longest time from the end of the request to the head of the response, and the longest pause within "
            "the response's body.")
        .otherwise("the listener's");
    t.field("send", &RuleTimeouts::send, duration(1ms, 24h),
            "How long a client may read nothing before its connection is cut.")
        .otherwise("the listener's");
    t.field("total", &RuleTimeouts::total, duration(1ms, 24h), "The longest time for the whole exchange.")
        .otherwise("the listener's");
    t.field("tunnel", &RuleTimeouts::tunnel, duration(1ms, 24h), "How long a WebSocket may be idle.")
        .otherwise("the listener's");
    return t;
  }();
  return table;
}

// The conditions of a rule must all hold, so those of an `all` among them are like its own.
Type<std::vector<Condition>> flattened(Type<std::vector<Condition>> list) {
  Type<std::vector<Condition>> out = list;
  out.decode = [list = std::move(list)](Decoder& d, const Node& node, std::vector<Condition>& conditions) {
    const bool good = list.decode(d, node, conditions);
    for (std::size_t i = 0; i < conditions.size();) {
      if (conditions[i].kind != Kind::kAll) {
        ++i;
        continue;
      }
      std::vector<Condition> inner = std::move(conditions[i].inner);
      const auto at = conditions.erase(conditions.begin() + static_cast<std::ptrdiff_t>(i));
      conditions.insert(at, std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
    }
    return good;
  };
  return out;
}

const Object<Rule>& rule_limits() {
  static const Object<Rule> table = [] {
    Object<Rule> t("rule_limits", "The limits of a rule.");
    t.field("body", &Rule::body_limit, size(0, std::uint64_t{1} << 40),
            "The largest size of a request's body. Larger bodies get 413.")
        .otherwise("the listener's");
    return t;
  }();
  return table;
}

Rule& self(Rule& rule) { return rule; }

}  // namespace

const Object<Condition>& condition_table() {
  static const Object<Condition> table = [] {
    Object<Condition> t(
        "condition",
        "A condition on a request. It has exactly one of these keys and holds if any of the key's values matches.");
    t.one_key();
    t.field("host", as<Kind::kHost, &Condition::patterns>, list_of<Pattern>(host_pattern(), 1, true),
            "The host without its port. Case does not matter; `*.` can stand for several labels.");
    t.field("path", as<Kind::kPath, &Condition::patterns>, list_of<Pattern>(path_pattern(), 1, true),
            "The normalised path. It is case-sensitive. Patterns other than regexes are normalised too: `/%7Euser`, "
            "`/ü` and `/a b` match what clients send for them.");
    t.field("header", whole<Kind::kHeader>,
            object("header_condition", header_condition, "{name: user-agent, values: [\"*Mobile*\"]}"),
            "The value of a header.");
    t.field("cookie", whole<Kind::kCookie>,
            object("cookie_condition", cookie_condition, "{name: canary, values: [always]}"), "The value of a cookie.");
    t.field("query", whole<Kind::kQuery>,
            object("query_condition", query_condition, "{name: version, values: [\"2\"]}"),
            "The value of a query parameter.");
    t.field("method", as<Kind::kMethod, &Condition::patterns>, list_of<Pattern>(method(), 1, true),
            "The request method. It is case-sensitive.");
    t.field("source_ip", as<Kind::kSourceIp, &Condition::networks>, list_of<Value<std::string>>(network(), 1, true),
            "The client's address.");
    t.field(
        "time", as<Kind::kTime, &Condition::time>,
        object("time_condition", time_condition, "{days: mon-fri, hours: \"09:00-17:30\", time_zone: Europe/Berlin}"),
        "The time at which the request begins.");
    t.field(
        "sni", as<Kind::kSni, &Condition::patterns>, list_of<Pattern>(host_pattern(), 1, true),
        "The host that the client asked for in its TLS handshake (SNI). A connection without TLS or without SNI has "
        "none. Patterns are those of `host`.");
    t.field(
        "alpn", as<Kind::kAlpn, &Condition::patterns>, list_of<Pattern>(protocol(), 1, true),
        "The protocol that was chosen in the TLS handshake (ALPN): `h2` or `http/1.1`. A connection without TLS, or "
        "whose client offered none, has none.");
    const auto several = [] { return list_of<Condition>(object("condition", condition_table, kConditionExample), 1); };
    t.field("all", as<Kind::kAll, &Condition::inner>, several(), "Conditions that must all hold.");
    t.field("any", as<Kind::kAny, &Condition::inner>, several(), "Conditions of which one must hold.");
    t.field("not", as<Kind::kNot, &Condition::inner>, just_one(object("condition", condition_table, kConditionExample)),
            "A condition that must not hold.");
    return t;
  }();
  return table;
}

const Object<Rule>& rule_table() {
  static const Object<Rule> table = [] {
    Object<Rule> t(
        "rule", "The actions for requests that meet all conditions of the rule. The first rule that matches is used.");
    t.field("name", &Rule::name, name(),
            "The rule's name, unique on its listener. Metrics and commands use LISTENER/RULE.")
        .required();
    t.field("priority", &Rule::priority, number(1, 50000),
            "The order of the rules: the lowest number is tried first. It is unique on its listener.")
        .required();
    t.field("conditions", &Rule::conditions,
            flattened(list_of<Condition>(object("condition", condition_table, kConditionExample))),
            "The conditions, all of which must hold.")
        .otherwise("every request matches");
    t.field("actions", &Rule::actions, action_list(),
            "The actions, executed in this order. The last one answers the request.")
        .required();
    t.field("timeouts", &Rule::timeouts, object("rule_timeouts", rule_timeouts, "{response: 30s}"),
            "Timers that replace the listener's.")
        .otherwise("the listener's");
    t.field("limits", self, object("rule_limits", rule_limits, "{body: 10MiB}"), "Limits that replace the listener's.")
        .otherwise("the listener's");
    return t;
  }();
  return table;
}

Type<std::vector<Rule>> rule_list() {
  return list_of<Rule>(object("rule", rule_table, "{name: api, priority: 10, actions: [forward: blue]}"));
}

void add_rule_tables(Tables& tables) {
  tables.insert(tables.end(), {&rule_table().info(), &rule_timeouts().info(), &rule_limits().info(),
                               &condition_table().info(), &header_condition().info(), &cookie_condition().info(),
                               &query_condition().info(), &time_condition().info()});
}

}  // namespace albatross::config
