// Actions: what a rule does with a request.
#include <algorithm>

#include "base/text.h"
#include "config/rollout_metrics.h"
#include "config/table/table.h"
#include "config/table/types.h"

namespace albatross::config {
namespace {

using namespace std::chrono_literals;
using Kind = Action::Kind;
using Fault = std::pair<std::string, std::string>;

constexpr std::size_t kLargestBody = 64 << 10;
constexpr std::string_view kAnswers[] = {"forward", "redirect", "fixed_response"};
// Fields of one connection and those that frame a message (RFC 9110 §7.6.1, RFC 9112 §6): the proxy writes them anew.
constexpr std::string_view kOwnFields[] = {"connection", "content-length",    "keep-alive", "proxy-connection",
                                           "te",         "transfer-encoding", "trailer",    "upgrade"};

Type<std::string> template_text() { return text(Text::kTemplate); }

Type<std::string> edited_header() {
  return checked(token("header name"), [](const std::string& text) -> Fault {
    const std::string field = ascii_lower(text);
    if (std::find(std::begin(kOwnFields), std::end(kOwnFields), field) != std::end(kOwnFields)) {
      return {field + " frames the message, so only the proxy sets it", "it cannot be edited"};
    }
    if (field == "host") return {"host cannot be edited as a header", "write rewrite: {host: …}"};
    return {};
  });
}

Type<std::string> redirect_protocol() {
  Type<std::string> type = checked(template_text(), [](const std::string& text) -> Fault {
    if (text == "http" || text == "https" || is_template(text)) return {};
    return {"\"" + text + "\" is not one of http, https", {}};
  });
  type.info.range = "http, https";
  return type;
}

Type<std::string> redirect_port() {
  Type<std::string> type = checked(template_text(), [](const std::string& text) -> Fault {
    if (is_template(text)) return {};
    const auto port = parse_number(text);
    if (port.value && *port.value >= 1 && *port.value <= 65535) return {};
    return {"\"" + text + "\" is not a port", "a port is 1 to 65535"};
  });
  type.info.range = "1 to 65535";
  return type;
}

Type<std::string> path_template() {
  return checked(template_text(), [](const std::string& text) -> Fault {
    if (text.starts_with('/') || text.starts_with("${")) return {};
    return {"a path starts with /", "did you mean \"/" + text.substr(0, 64) + "\"?"};
  });
}

// An empty query removes the query.
Type<std::string> query_template() {
  Type<std::string> type{{"template", {}, text_schema()}, [](Decoder& d, const Node& node, std::string& out) {
                           auto text = d.text(node, Text::kTemplate);
                           if (text) out = std::move(*text);
                           return text.has_value();
                         }};
  return checked(std::move(type), [](const std::string& text) -> Fault {
    if (!text.starts_with('?')) return {};
    return {"a query is written without its ?", "write \"" + text.substr(1, 64) + "\""};
  });
}

Type<std::string> body_text() {
  Type<std::string> type = checked(text(Text::kBody), [](const std::string& text) -> Fault {
    if (text.size() <= kLargestBody) return {};
    return {"the body is larger than 64KiB", "serve it from a server group"};
  });
  type.info.range = "at most 64KiB";
  return type;
}

const Object<WeightedGroup>& weighted_group() {
  static const Object<WeightedGroup> table = [] {
    Object<WeightedGroup> t("weighted_group", "A server group and its share of the requests.");
    t.field("name", &WeightedGroup::name, name(), "The name of the server group.").required();
    t.field("weight", &WeightedGroup::weight, number(0, 10000),
            "The share of requests of this group, relative to the weights of the other groups.");
    return t;
  }();
  return table;
}

const Object<GroupSticky>& group_sticky_table() {
  static const Object<GroupSticky> table = [] {
    Object<GroupSticky> t("group_sticky", "A cookie that keeps a client on the group that it first got.");
    t.field("max_age", &GroupSticky::max_age, duration(1s, 86400s), "How long the cookie is valid.");
    t.field("samesite", &GroupSticky::samesite, same_site(), kSameSiteMeaning);
    return t;
  }();
  return table;
}

Type<GroupSticky> sticky() {
  const Type<Duration> age = duration(1s, 86400s);
  Type<GroupSticky> scalar{
      age.info, [age](Decoder& d, const Node& node, GroupSticky& out) { return store(d, node, age, out.max_age); }};
  Type<GroupSticky> both =
      scalar_or(std::move(scalar), object("group_sticky", group_sticky_table, "{max_age: 1000s, samesite: none}"));
  both.info.range = age.info.range;
  return both;
}

const Object<AbortIf>& abort_table() {
  static const Object<AbortIf> table = [] {
    Object<AbortIf> t("abort_if",
                      "What ends a rollout: the new group does worse than the others by this factor, and a sequential "
                      "test is certain of it.");
    t.field("errors", &AbortIf::errors, factor(1.1, 1000),
            "Of the share of requests that fail: with a 5xx status, an answer that is cut, or such a grpc-status.");
    t.field("p99", &AbortIf::p99, factor(1.1, 1000), "Of the time within which 99 % of the answers begin.");
    t.field("metrics", &AbortIf::metrics,
            map_of(known_name("metric", rollout_metrics()), factor(1.1, 1000), "mapping of metric to factor",
                   "write it like {albatross_upstream_retries_total: 2}"),
            "Of counters with a `group` label, per request of the group.")
        .otherwise("none");
    return t;
  }();
  return table;
}

bool steps_rise(Decoder& d, const Node& node, Rollout& out) {
  out.at = node.at;
  for (std::size_t i = 1; i < out.steps.size(); ++i) {
    if (*out.steps[i] > *out.steps[i - 1]) continue;
    d.error(out.steps[i].at, "each step is a larger share than the one before", "write it like [5, 25, 50, 100]");
    return false;
  }
  return true;
}

const Object<Rollout>& rollout_table() {
  static const Object<Rollout> table = [] {
    Object<Rollout> t(
        "rollout",
        "Moves the requests of the rule to one of its groups in steps, and takes them back if the group does "
        "worse than the others. `albatross rollout start` begins it; docs/rollout.md describes it.");
    t.field("to", &Rollout::to, name(), "The group that gets the requests, one of `groups`.").required();
    t.field("steps", &Rollout::steps, list_of<Value<std::uint32_t>>(number(1, 100), 1, true),
            "The shares of the group in percent, one after another.");
    t.field("pause", &Rollout::pause, duration(1s, 168h), "The least time that a step takes.");
    t.field("minimum", &Rollout::minimum, number(1, 1'000'000'000),
            "The fewest requests of the group in a step, before the next step begins, and before `p99` and `metrics` "
            "are judged. `errors` are judged from the first request on.");
    t.field("abort_if", &Rollout::abort_if, object("abort_if", abort_table, "{errors: 2, p99: 1.5}"),
            "What ends the rollout.");
    t.also(steps_rise);
    return t;
  }();
  return table;
}

const Object<Forward>& forward_table() {
  static const Object<Forward> table = [] {
    Object<Forward> t("forward", "Forwards requests to several server groups by weight.");
    t.field("groups", &Forward::groups,
            list_of<WeightedGroup>(object("weighted_group", weighted_group, "{name: blue, weight: 95}"), 1),
            "The server groups and their weights.")
        .required();
    t.field("sticky", &Forward::sticky, sticky(), "How long a client stays on the group that it first got.")
        .otherwise("a group is chosen for each request");
    t.field("rollout", &Forward::rollout, object("rollout", rollout_table, "{to: green, steps: [5, 25, 50, 100]}"),
            "How the requests move to a new version.")
        .otherwise("weights change only by the file and by commands");
    return t;
  }();
  return table;
}

Type<Forward> forward() {
  const Type<std::string> group = name();
  Type<Forward> scalar{group.info, [group](Decoder& d, const Node& node, Forward& out) {
                         out.groups.resize(1);
                         return store(d, node, group, out.groups[0].name);
                       }};
  return scalar_or(std::move(scalar),
                   object("forward", forward_table, "{groups: [{name: blue, weight: 95}, {name: green, weight: 5}]}"));
}

const Object<Redirect>& redirect_table() {
  static const Object<Redirect> table = [] {
    Object<Redirect> t("redirect", "A redirect. Parts that are not given stay as the client sent them.");
    t.field("protocol", &Redirect::protocol, redirect_protocol(), "The new protocol.").otherwise("unchanged");
    t.field("host", &Redirect::host, template_text(), "The new host.").otherwise("unchanged");
    t.field("port", &Redirect::port, redirect_port(), "The new port.").otherwise("unchanged");
    t.field("path", &Redirect::path, path_template(), "The new path.").otherwise("unchanged");
    t.field("query", &Redirect::query, query_template(),
            "The new query without its `?`. An empty text removes the query.")
        .otherwise("unchanged");
    t.field("code", &Redirect::code, code_of({301, 302, 303, 307, 308}), "The status code.");
    return t;
  }();
  return table;
}

const Object<FixedResponse>& fixed_response_table() {
  static const Object<FixedResponse> table = [] {
    Object<FixedResponse> t("fixed_response", "An answer that the proxy sends itself.");
    t.field("code", &FixedResponse::code, small_number(200, 599), "The status code.");
    t.field("content_type", &FixedResponse::content_type, text(), "The Content-Type of the answer.");
    t.field("body", &FixedResponse::body, body_text(), "The body of the answer.").otherwise("empty");
    return t;
  }();
  return table;
}

const Object<Rewrite>& rewrite_table() {
  static const Object<Rewrite> table = [] {
    Object<Rewrite> t("rewrite", "Changes the request that the server gets. A new path is normalised.");
    t.field("host", &Rewrite::host, template_text(), "The new host.").otherwise("unchanged");
    t.field("path", &Rewrite::path, path_template(), "The new path.").otherwise("unchanged");
    t.field("query", &Rewrite::query, query_template(),
            "The new query without its `?`. An empty text removes the query.")
        .otherwise("unchanged");
    return t;
  }();
  return table;
}

// Fields that only responses have.
constexpr std::string_view kOfAnswers[] = {"accept-ranges",
                                           "access-control-allow-credentials",
                                           "access-control-allow-headers",
                                           "age",
                                           "access-control-allow-methods",
                                           "access-control-allow-origin",
                                           "alt-svc",
                                           "access-control-expose-headers",
                                           "access-control-max-age",
                                           "etag",
                                           "content-security-policy",
                                           "cross-origin-resource-policy",
                                           "expires",
                                           "cross-origin-opener-policy",
                                           "last-modified",
                                           "location",
                                           "permissions-policy",
                                           "proxy-authenticate",
                                           "referrer-policy",
                                           "retry-after",
                                           "server",
                                           "set-cookie",
                                           "strict-transport-security",
                                           "timing-allow-origin",
                                           "vary",
                                           "www-authenticate",
                                           "x-content-type-options",
                                           "x-frame-options",
                                           "x-xss-protection"};

bool warn_of_answers(Decoder& d, const Node&, HeaderEdit& edit) {
  const std::string field = ascii_lower(*edit.name);
  if (std::find(std::begin(kOfAnswers), std::end(kOfAnswers), field) != std::end(kOfAnswers)) {
    d.warning(edit.name.at, field + " is a response header, and insert_header sets it in the request",
              "let the server set it in its response");
  }
  return true;
}

const Object<HeaderEdit>& insert_header_table() {
  static const Object<HeaderEdit> table = [] {
    Object<HeaderEdit> t("insert_header", "Sets a header of the request and replaces any header of that name.");
    t.field("name", &HeaderEdit::name, edited_header(), "The name of the header.").required();
    t.field("value", &HeaderEdit::value, template_text(), "The value of the header.").required();
    t.also(warn_of_answers);
    return t;
  }();
  return table;
}

const Object<HeaderEdit>& remove_header_table() {
  static const Object<HeaderEdit> table = [] {
    Object<HeaderEdit> t("remove_header", "Removes a header from the request.");
    t.field("name", &HeaderEdit::name, edited_header(), "The name of the header.").required();
    return t;
  }();
  return table;
}

bool answers(const std::string& key) {
  return std::find(std::begin(kAnswers), std::end(kAnswers), key) != std::end(kAnswers);
}

void check_order(Decoder& d, const Node& node) {
  const std::size_t last = node.items.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    const Node::Entry& action = node.items[i].entries[0];
    const auto scope = d.enter(i);
    if (i < last && answers(action.key)) d.error(action.at, action.key + " answers, so it must be the last action");
    if (i == last && !answers(action.key)) {
      d.error(action.at, "no action answers", "end with forward, redirect or fixed_response");
    }
  }
}

}  // namespace

const Object<Action>& action_table() {
  static const Object<Action> table = [] {
    Object<Action> t("action",
                     "One step of a rule. It has exactly one of these keys. forward, redirect and fixed_response "
                     "answer the request.");
    t.one_key();
    t.field("forward", as<Kind::kForward, &Action::forward>, forward(),
            "Forwards the request to a server group, or to one of several.");
    t.field("redirect", as<Kind::kRedirect, &Action::redirect>, object("redirect", redirect_table, "{protocol: https}"),
            "Redirects the client.");
    t.field("fixed_response", as<Kind::kFixedResponse, &Action::fixed_response>,
            object("fixed_response", fixed_response_table, "{code: 404, body: not here}"),
            "Answers with a fixed text.");
    t.field("rewrite", as<Kind::kRewrite, &Action::rewrite>, object("rewrite", rewrite_table, "{path: /new}"),
            "Changes the host, path or query that the server gets.");
    t.field("insert_header", as<Kind::kInsertHeader, &Action::header>,
            object("insert_header", insert_header_table, "{name: x-edge, value: web}"),
            "Sets a header of the request.");
    t.field("remove_header", as<Kind::kRemoveHeader, &Action::header>,
            object("remove_header", remove_header_table, "{name: x-debug}"), "Removes a header from the request.");
    return t;
  }();
  return table;
}

Type<std::vector<Action>> action_list() {
  const Type<std::vector<Action>> list = list_of<Action>(object("action", action_table, "{forward: blue}"), 1);
  return {list.info, [list](Decoder& d, const Node& node, std::vector<Action>& out) {
            if (!list.decode(d, node, out)) return false;
            check_order(d, node);
            return true;
          }};
}

void add_action_tables(Tables& tables) {
  tables.insert(tables.end(), {&action_table().info(), &forward_table().info(), &weighted_group().info(),
                               &group_sticky_table().info(), &rollout_table().info(), &abort_table().info(),
                               &redirect_table().info(), &fixed_response_table().info(), &rewrite_table().info(),
                               &insert_header_table().info(), &remove_header_table().info()});
}

}  // namespace albatross::config
