#include "lint/diff.h"

#include <algorithm>
#include <map>

#include "base/timestamp.h"
#include "lint/incoming.h"
#include "lint/outcome.h"
#include "lint/probes.h"

namespace albatross {
namespace {

using Json = nlohmann::ordered_json;

// The compiled rules of one listener of one configuration.
class Side {
 public:
  // False, and errors in `out`, if the rules do not compile.
  bool compile(const config::Config& config, const config::Listener& listener, config::Diagnostics& out) {
    listener_ = &listener;
    const auto index = static_cast<std::size_t>(&listener - config.listeners.data());
    const std::string path = config::element_path("listeners", index);
    table_ = RuleTable::compile(listener, path, out);
    routes_ = compile_routes(listener, path, servers_, out);
    if (!table_ || !out.ok()) return false;
    matcher_ = table_->make_matcher();
    for (std::size_t i = 0; i <= listener.rules.size(); ++i) outcomes_.push_back(albatross::outcome(listener, i));
    return true;
  }

  // The index of the rule that answers; -1 if the request is refused.
  long ask(const ExplainRequest& request) {
    Incoming in;
    const std::string why = read(*listener_, routes_.header_names, listener_->bind.port, request, in);
    if (!why.empty()) refused_ = refused(why);
    return why.empty() ? static_cast<long>(matcher_->match(in.query()).rule) : -1;
  }
  // Of what ask() returned; -1 is the last request.
  const Outcome& outcome(long rule) const { return rule < 0 ? refused_ : outcomes_[static_cast<std::size_t>(rule)]; }
  const config::Listener& listener() const { return *listener_; }

 private:
  const config::Listener* listener_ = nullptr;
  ServerTable servers_;
  std::shared_ptr<const RuleTable> table_;
  Routes routes_;
  std::unique_ptr<RuleTable::Matcher> matcher_;
  std::vector<Outcome> outcomes_;
  Outcome refused_;
};

struct Difference {
  ExplainRequest request;  // the first that showed it
  Outcome before, after;
  std::uint64_t requests = 0;  // of the log
};

// One listener that both configurations have.
class Pair {
 public:
  bool compile(const config::Config& before, const config::Listener& old, const config::Config& after,
               const config::Listener& now, config::Diagnostics& out) {
    return before_.compile(before, old, out) && after_.compile(after, now, out);
  }

  void probe() {
    albatross::probe(before_.listener(), after_.listener(),
                     [this](const Draft& draft) { find(draft.request(after_.listener())); });
  }

  // Whether the log's request is handled differently.
  bool replay(const ExplainRequest& request) {
    Difference* d = find(request);
    if (d != nullptr) ++d->requests;
    return d != nullptr;
  }

  std::vector<const Difference*> differences() const {
    std::vector<const Difference*> out;
    for (const auto& [rules, d] : found_) out.push_back(&d);
    return out;
  }

 private:
  // Null if both do the same.
  Difference* find(const ExplainRequest& request) {
    const long old_rule = before_.ask(request), new_rule = after_.ask(request);
    const Outcome &before = before_.outcome(old_rule), &after = after_.outcome(new_rule);
    if (before == after) return nullptr;
    const auto [it, first] = found_.try_emplace({old_rule, new_rule});
    if (first) it->second = {request, before, after, 0};
    return &it->second;
  }

  Side before_, after_;
  std::map<std::pair<long, long>, Difference> found_;  // by the indices of both rules
};

template <class T>
const T* named(const std::vector<T>& list, const std::string& name) {
  const auto it = std::find_if(list.begin(), list.end(), [&name](const T& one) { return *one.name == name; });
  return it == list.end() ? nullptr : &*it;
}

std::string server_text(const config::Server& s) {
  return "weight " + std::to_string(*s.weight) + (s.zone->empty() ? "" : ", zone " + *s.zone) +
         (s.backup ? ", backup" : "");
}

// What has changed of a group, in words.
Json group_changes(const config::ServerGroup& before, const config::ServerGroup& after) {
  Json out = Json::array();
  std::map<std::string, std::string> old;
  for (const config::Server& s : before.servers) old[*s.address] = server_text(s);
  for (const config::Server& s : after.servers) {
    const auto it = old.find(*s.address);
    if (it == old.end()) {
      out.push_back("server " + *s.address + " is new");
      continue;
    }
    if (it->second != server_text(s))
      out.push_back("server " + *s.address + ": " + it->second + " -> " + server_text(s));
    old.erase(it);
  }
  for (const auto& [address, text] : old) out.push_back("server " + address + " is gone");
  if (out.empty() && before.digest != after.digest) out.push_back("settings");
  return out;
}

// Names that only one list has.
template <class T>
Json only_in(const std::vector<T>& list, const std::vector<T>& other) {
  Json out = Json::array();
  for (const T& one : list) {
    if (named(other, *one.name) == nullptr) out.push_back(*one.name);
  }
  return out;
}

Json listener_changes(const config::Listener& before, const config::Listener& after) {
  Json out = Json::array();
  const auto bind = [](const config::Listener& l) { return l.bind.host + ":" + std::to_string(l.bind.port); };
  if (bind(before) != bind(after)) out.push_back("bind " + bind(before) + " -> " + bind(after));
  if (*before.protocol != *after.protocol) out.push_back("protocol");
  return out;
}

template <class T, class Changes>
Json part(const std::vector<T>& before, const std::vector<T>& after, Changes changes) {
  Json changed = Json::array();
  for (const T& now : after) {
    const T* old = named(before, *now.name);
    Json what = old == nullptr ? Json::array() : changes(*old, now);
    if (!what.empty()) changed.push_back({{"name", *now.name}, {"what", std::move(what)}});
  }
  return {{"added", only_in(after, before)}, {"removed", only_in(before, after)}, {"changed", std::move(changed)}};
}

Json to_json(const Outcome& o) {
  Json out = Json::object();
  for (const auto& [aspect, text] : o) out[aspect] = text;
  return out;
}

Json to_json(const std::string& listener, const Difference& d) {
  Json headers = Json::array(), changed = Json::array();
  for (const auto& [name, value] : d.request.headers) headers.push_back({name, value});
  for (std::size_t i = 0; i < d.before.size(); ++i) {
    if (d.before[i] != d.after[i]) changed.push_back(d.before[i].first);
  }
  Json request{{"method", d.request.method}, {"url", d.request.url}, {"headers", std::move(headers)}};
  if (!d.request.from.empty()) request["from"] = d.request.from;
  if (d.request.sni) request["sni"] = *d.request.sni;
  if (d.request.alpn) request["alpn"] = *d.request.alpn;
  if (d.request.wall != 0) request["time"] = Timestamp().text(d.request.wall);
  return {{"listener", listener},      {"request", std::move(request)}, {"before", to_json(d.before)},
          {"after", to_json(d.after)}, {"changed", std::move(changed)}, {"requests", d.requests}};
}

// A request as a line of the access log has it; nullopt if it is no such line.
std::optional<std::pair<std::string, ExplainRequest>> logged(const std::string& line) {
  const Json j = Json::parse(line, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  const auto text = [&j](const char* key) {
    const auto it = j.find(key);
    return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  ExplainRequest r;
  r.method = text("request_method");
  r.url = text("request_uri");
  r.from = text("client_ip");
  if (text("server_protocol").starts_with("HTTP/1")) r.alpn = "http/1.1";
  r.wall = parse_timestamp(text("time")).value_or(0);
  if (r.method.empty() || r.url.empty()) return std::nullopt;
  r.headers.emplace_back("Host", text("host"));
  const std::pair<const char*, const char*> fields[] = {{"http_user_agent", "User-Agent"}, {"http_referer", "Referer"}};
  for (const auto& [key, name] : fields) {
    if (std::string value = text(key); !value.empty()) r.headers.emplace_back(name, std::move(value));
  }
  return std::pair(text("listener"), std::move(r));
}

using Pairs = std::map<std::string, Pair>;

Json replay(std::istream& log, Pairs& pairs) {
  std::uint64_t requests = 0, changed = 0, broken = 0, first_broken = 0, elsewhere = 0, number = 0;
  for (std::string line; std::getline(log, line);) {
    ++number;
    if (line.empty()) continue;
    const auto one = logged(line);
    if (!one) {
      if (broken++ == 0) first_broken = number;
      continue;
    }
    ++requests;
    const auto it = pairs.find(one->first);
    if (it == pairs.end()) {
      ++elsewhere;  // on a listener that only one configuration has
    } else if (it->second.replay(one->second)) {
      ++changed;
    }
  }
  Json out{{"requests", requests}, {"changed", changed}, {"other_listeners", elsewhere}, {"broken", broken}};
  if (broken != 0) out["first_broken_line"] = first_broken;
  return out;
}

}  // namespace

Json diff(const config::Config& before, const config::Config& after, std::istream* log, config::Diagnostics& out) {
  Pairs pairs;
  for (const config::Listener& now : after.listeners) {
    const config::Listener* old = named(before.listeners, *now.name);
    if (old == nullptr) continue;
    if (!pairs[*now.name].compile(before, *old, after, now, out)) return nullptr;
  }
  for (auto& [name, pair] : pairs) pair.probe();
  Json result{{"routes", Json::array()},
              {"listeners", part(before.listeners, after.listeners, listener_changes)},
              {"groups", part(before.server_groups, after.server_groups, group_changes)}};
  if (log != nullptr) result["log"] = replay(*log, pairs);
  std::vector<std::pair<std::string, const Difference*>> all;
  for (const auto& [name, pair] : pairs) {
    for (const Difference* d : pair.differences()) all.emplace_back(name, d);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.second->requests > b.second->requests; });
  for (const auto& [name, d] : all) result["routes"].push_back(to_json(name, *d));
  return result;
}

}  // namespace albatross
