#include "routing/rules/route.h"

#include <algorithm>
#include <map>

#include "base/siphash.h"
#include "base/text.h"
#include "routing/rules/regex.h"

namespace albatross {
namespace {

using config::Diagnostics;

using config::nanos;

RouteTimeouts timeouts_of(const config::Timeouts& t) {
  return {nanos(t.request_body), nanos(t.response), nanos(t.send), t.total ? nanos(*t.total) : 0, nanos(t.tunnel)};
}

void change(RouteTimeouts& timeouts, const config::RuleTimeouts& by) {
  const auto take = [](Nanos& into, const std::optional<config::Value<config::Duration>>& from) {
    if (from) into = nanos(*from);
  };
  take(timeouts.request_body, by.request_body);
  take(timeouts.response, by.response);
  take(timeouts.send, by.send);
  take(timeouts.total, by.total);
  take(timeouts.tunnel, by.tunnel);
}

// The most groups that a path regex of the rule has; ${1}, ${2} and so on refer to them.
int groups_of(const config::Rule& rule) {
  int most = 0;
  for (const config::Condition& c : rule.conditions) {
    if (c.kind != config::Condition::Kind::kPath) continue;
    for (const config::Pattern& p : c.patterns) {
      if (p.kind != config::Pattern::Kind::kRegex) continue;
      const RE2 regex(piece(p.text), regex_options(p.ignore_case, RegexBudget().pattern));
      if (regex.ok()) most = std::max(most, regex.NumberOfCapturingGroups());
    }
  }
  return most;
}

// A variable as other products write it, "$1" or "#{path}"; empty if there is none.
std::string_view foreign_variable(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '$' && is_digit(text[i + 1])) return text.substr(i, 2);
    const std::size_t end = text[i] == '#' && text[i + 1] == '{' ? text.find('}', i) : std::string_view::npos;
    if (end != std::string_view::npos) return text.substr(i, end + 1 - i);
  }
  return {};
}

class Compiler {
 public:
  Compiler(ServerTable& table, Diagnostics& out) : table_(table), out_(out) {}

  // Sets the rule whose actions come next; null: the default actions.
  void begin(const config::Rule* rule) { rule_ = rule; }

  void actions(const std::vector<config::Action>& actions, const std::string& path, Route& route) {
    for (std::size_t i = 0; i < actions.size(); ++i) {
      const config::Action& a = actions[i];
      const std::string at = config::element_path(path, i);
      switch (a.kind) {
        case config::Action::Kind::kForward: forward(a.forward, route); break;
        case config::Action::Kind::kRedirect: redirect(a.redirect, at + ".redirect", route); break;
        case config::Action::Kind::kFixedResponse: fixed(a.fixed_response, route); break;
        case config::Action::Kind::kRewrite: rewrite(a.rewrite, at + ".rewrite", route); break;
        case config::Action::Kind::kInsertHeader:
          edit_header(Edit::Kind::kInsert, a.header, route).value = text(a.header.value, at + ".insert_header.value");
          break;
        case config::Action::Kind::kRemoveHeader: edit_header(Edit::Kind::kRemove, a.header, route); break;
      }
    }
  }

 private:
  using OptionalText = std::optional<config::Value<std::string>>;
  std::optional<Template> optional(const OptionalText& of, const std::string& path) {
    if (!of) return std::nullopt;
    return text(*of, path);
  }

  Template text(const config::Value<std::string>& of, const std::string& path) {
    Template result = Template::compile(of, path, out_);
    const int n = result.greatest_capture();
    if (n > 0 && (rule_ == nullptr || groups_of(*rule_) < n)) {
      out_.warning(
          of.at, path, "${" + std::to_string(n) + "} is always empty: no path regex of the rule has that group",
          "it is what ( ) number " + std::to_string(n) + " of a condition such as path: \"~^/x/(.*)$\" matched");
    }
    if (const std::string_view foreign = foreign_variable(*of); !foreign.empty()) {
      out_.warning(of.at, path, "\"" + std::string(foreign) + "\" is no variable and stays as it is",
                   "variables are written ${1}, ${path}, ${header:x-name}");
    }
    return result;
  }

  void forward(const config::Forward& f, Route& route) {
    route.answer = Route::Answer::kForward;
    for (const config::WeightedGroup& g : f.groups) {
      route.targets.emplace_back(table_.group(g.name), g.weight);
    }
    route.watched = f.rollout.has_value();
    if (f.sticky) {
      route.sticky = nanos(f.sticky->max_age);
      route.samesite = *f.sticky->samesite;
      char hex[8];
      write_hex(hex, siphash({1, 2}, route.address) >> 32, 8);
      route.sticky_cookie = "albatross-" + std::string(hex, sizeof hex);
    }
  }

  void redirect(const config::Redirect& r, const std::string& at, Route& route) {
    route.answer = Route::Answer::kRedirect;
    route.code = r.code;
    route.to_protocol = optional(r.protocol, at + ".protocol");
    route.to_host = optional(r.host, at + ".host");
    route.to_port = optional(r.port, at + ".port");
    route.to_path = optional(r.path, at + ".path");
    route.to_query = optional(r.query, at + ".query");
  }

  static void fixed(const config::FixedResponse& f, Route& route) {
    route.answer = Route::Answer::kFixedResponse;
    route.code = f.code;
    route.content_type = f.content_type;
    route.body = f.body;
  }

  static Edit& edit_header(Edit::Kind kind, const config::HeaderEdit& header, Route& route) {
    Edit& e = route.edits.emplace_back();
    e.kind = kind;
    e.name = header.name;
    e.id = header_id(e.name);
    return e;
  }

  void rewrite(const config::Rewrite& r, const std::string& at, Route& route) {
    Edit e;
    e.kind = Edit::Kind::kRewrite;
    e.host = optional(r.host, at + ".host");
    e.path = optional(r.path, at + ".path");
    e.query = optional(r.query, at + ".query");
    route.edits.push_back(std::move(e));
  }

  ServerTable& table_;
  Diagnostics& out_;
  const config::Rule* rule_ = nullptr;
};

bool looks_at_tls(const config::Condition& condition) {
  return condition.kind == config::Condition::Kind::kSni || condition.kind == config::Condition::Kind::kAlpn ||
         std::any_of(condition.inner.begin(), condition.inner.end(), looks_at_tls);
}

void add_header_names(const config::Condition& condition, std::vector<std::string>& out) {
  if (condition.kind == config::Condition::Kind::kHeader || condition.kind == config::Condition::Kind::kItems)
    out.push_back(condition.name);
  for (const config::Condition& c : condition.inner) add_header_names(c, out);
}

void add_header_names(const Route& route, std::vector<std::string>& out) {
  const auto add = [&out](const std::optional<Template>& t) {
    if (t) t->add_header_names(out);
  };
  for (const Edit& e : route.edits) {
    if (!e.name.empty()) out.push_back(ascii_lower(e.name));
    e.value.add_header_names(out);
    for (const auto* t : {&e.host, &e.path, &e.query}) add(*t);
  }
  for (const auto* t : {&route.to_protocol, &route.to_host, &route.to_port, &route.to_path, &route.to_query}) add(*t);
}

}  // namespace

Routes compile_routes(const config::Listener& listener, const std::string& path, ServerTable& table, Diagnostics& out) {
  Compiler compiler(table, out);
  RouteSettings base;
  base.timeouts = timeouts_of(listener.timeouts);
  base.body_rate = listener.timeouts.request_body_rate;
  base.drop_underscored = listener.underscores == config::Underscores::kDrop;
  if (listener.limits.body) base.body_limit = listener.limits.body->value;
  Routes routes;
  auto settle = [&routes](const RouteSettings& s) {
    for (const auto& known : routes.settings) {
      if (*known == s) return known.get();
    }
    return routes.settings.emplace_back(std::make_unique<const RouteSettings>(s)).get();
  };
  for (std::size_t i = 0; i <= listener.rules.size(); ++i) {
    Route r;
    RouteSettings settings = base;
    if (i == listener.rules.size()) {
      r.address = listener.name.value + "/default";
      compiler.begin(nullptr);
      compiler.actions(listener.default_actions, path + ".default_actions", r);
    } else {
      const config::Rule& rule = listener.rules[i];
      r.rule = rule.name;
      r.address = listener.name.value + "/" + rule.name.value;
      change(settings.timeouts, rule.timeouts);
      if (rule.timeouts.request_body_rate) settings.body_rate = rule.timeouts.request_body_rate->value;
      for (const config::Condition& c : rule.conditions) {
        add_header_names(c, routes.header_names);
        routes.look_at_tls = routes.look_at_tls || looks_at_tls(c);
      }
      if (rule.body_limit) settings.body_limit = rule.body_limit->value;
      compiler.begin(&rule);
      compiler.actions(rule.actions, config::element_path(path + ".rules", i) + ".actions", r);
    }
    r.settings = settle(settings);
    r.one_target = r.targets.size() == 1;
    if (r.one_target) r.first_group = r.targets[0].group;
    add_header_names(r, routes.header_names);
    routes.all.push_back(std::move(r));
  }
  auto& names = routes.header_names;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::erase_if(names, [](const std::string& name) { return name.find('_') != std::string::npos; });
  return routes;
}

std::string_view redirect_location(const Route& route, const TemplateValues& v, Arena& arena) {
  std::string_view protocol = route.to_protocol ? route.to_protocol->expand(v, arena) : v.protocol;
  std::string_view host = route.to_host ? route.to_host->expand(v, arena) : v.host;
  std::string_view port = route.to_port ? route.to_port->expand(v, arena) : v.written_port;
  std::string_view path = escape_unsendable(route.to_path ? route.to_path->expand(v, arena) : v.path, arena);
  std::string_view query = escape_unsendable(route.to_query ? route.to_query->expand(v, arena) : v.query, arena);
  // A protocol that changes takes its own port along unless one was asked for.
  if (!route.to_port && route.to_protocol && protocol != v.protocol) port = {};
  bool usual = port.empty() || (protocol == "https" && port == "443") || (protocol == "http" && port == "80");
  if (path.empty() || path[0] != '/') path = arena.concat(std::string_view("/"), path);
  return arena.concat(protocol, std::string_view("://"), host, std::string_view(usual ? "" : ":"),
                      usual ? std::string_view() : port, path, std::string_view(query.empty() ? "" : "?"), query);
}

Refusal apply_edits(const Route& route, const TemplateValues& start, EncodedSlash slashes, Head& head) {
  Arena& arena = head.fields.arena();
  TemplateValues values = start;
  values.fields = &head.fields;
  for (const Edit& e : route.edits) {
    switch (e.kind) {
      case Edit::Kind::kRemove: e.id == HeaderId::kOther ? head.fields.remove(e.name) : head.fields.remove(e.id); break;
      case Edit::Kind::kInsert: {
        std::string_view value = e.value.expand(values, arena);
        if (e.id == HeaderId::kHost) {
          if (!valid_authority(value)) return {Cause::kInternal, "an inserted host is not a host"};
          head.authority = value;
        } else if (e.id == HeaderId::kOther) {
          head.fields.set(e.name, value);
        } else {
          head.fields.set(e.id, e.name, value);
        }
        break;
      }
      case Edit::Kind::kRewrite:
        if (e.host) {
          std::string_view host = e.host->expand(values, arena);
          if (!valid_authority(host)) return {Cause::kInternal, "a rewritten host is not a host"};
          head.authority = host;
        }
        if (e.path) {
          std::string_view path = escape_unsendable(e.path->expand(values, arena), arena);
          if (path.empty() || path[0] != '/') path = arena.concat(std::string_view("/"), path);
          if (std::size_t mark = path.find('?'); mark != std::string_view::npos) {
            path = arena.concat(path.substr(0, mark), std::string_view("%3F"), path.substr(mark + 1));
          }
          Refusal why = normalise_path(path, slashes, arena, head.path);
          if (why.cause != Cause::kNone) return why;
        }
        if (e.query) {
          head.query = escape_unsendable(e.query->expand(values, arena), arena);
          head.has_query = !head.query.empty();
        }
        break;
    }
  }
  return {};
}

}  // namespace albatross
