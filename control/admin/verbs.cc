#include "control/admin/verbs.h"

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "config/scalar.h"
#include "control/admin/explain_live.h"
#include "control/admin/rollouts.h"

namespace albatross {
namespace {

using nlohmann::json;

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::string_view piece = text.substr(0, text.find(at));
    out.push_back(decoded(piece));
    text.remove_prefix(std::min(text.size(), piece.size() + 1));
  }
  return out;
}

std::string text_of(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"; }

ControlReply refused(int status, const std::string& why) { return {status, text_of({{"error", why}})}; }

json report_json(const DrainReport& r) {
  return {{"finished", r.finished},
          {"moved", r.moved},
          {"longest", static_cast<double>(r.longest) / 1e9},
          {"cut", {{"http", r.cut_http}, {"websocket", r.cut_websocket}, {"grpc", r.cut_grpc}}}};
}

ControlReply reply(const ControlResult& r, bool dry_run, const DrainReport* report = nullptr) {
  if (!r.ok()) return refused(r.code == ControlResult::Code::kNotFound ? 404 : 422, r.message);
  json out{{"ok", true}, {"message", r.message}, {"warnings", r.warnings}};
  if (dry_run) out["dry_run"] = true;
  if (report != nullptr) out["report"] = report_json(*report);
  return {200, text_of(out)};
}

struct Call {
  Control& control;
  std::map<std::string, std::string> options;
  const std::string& body;
  std::function<void(ControlReply)> done;

  bool has(const std::string& name) const { return options.contains(name); }
  bool dry_run() const { return has("dry_run"); }

  // The body as an object of weights; nullopt if it is something else.
  std::optional<std::map<std::string, std::uint32_t>> numbers() const {
    json j = json::parse(body, nullptr, false);
    if (!j.is_object()) return std::nullopt;
    std::map<std::string, std::uint32_t> out;
    for (const auto& [key, value] : j.items()) {
      if (!value.is_number_integer() || value < 0 || value > 10'000) return std::nullopt;
      out[key] = value.get<std::uint32_t>();
    }
    return out;
  }

  void rule_weights(const std::string& rule) {
    if (has("reset")) return done(reply(control.changes().set_rule_weights(rule, {}, true, dry_run()), dry_run()));
    auto weights = numbers();
    if (!weights) return done(refused(422, "the body must be {\"GROUP\": WEIGHT, …} with weights from 0 to 10000"));
    done(reply(control.changes().set_rule_weights(rule, *weights, false, dry_run()), dry_run()));
  }

  void weight(const std::string& group, const std::string& address) {
    if (has("reset"))
      return done(reply(control.changes().set_server_weight(group, address, std::nullopt, dry_run()), dry_run()));
    auto given = numbers();
    if (!given || given->size() != 1 || !given->contains("weight")) {
      return done(refused(422, "the body must be {\"weight\": N} with N from 0 to 10000"));
    }
    done(reply(control.changes().set_server_weight(group, address, given->at("weight"), dry_run()), dry_run()));
  }

  // Reads ?timeout. False if it is malformed; the error has been sent then.
  bool window(std::optional<Nanos>& out) {
    if (!has("timeout")) return true;
    auto given = config::parse_duration(options["timeout"]);
    if (!given.value || *given.value > std::chrono::minutes(15)) {
      done(refused(422, "timeout must be from 0s to 15m, such as 30s"));
      return false;
    }
    out = static_cast<Nanos>(given.value->count()) * kMilli;
    return true;
  }

  // start(window, done) begins the drain. With ?wait the reply comes when it is over, with the report.
  template <class Start>
  void drain(Start start) {
    std::optional<Nanos> within;
    if (!window(within)) return;
    auto result = std::make_shared<ControlResult>();
    auto answer = done;
    bool waits = has("wait") && !dry_run();
    *result = start(within, [result, answer, waits](const DrainReport& report) {
      if (waits) answer(reply(*result, false, &report));
    });
    if (!waits || !result->ok()) done(reply(*result, dry_run()));
  }

  void drain_process() {
    ControlResult result{ControlResult::Code::kDone, "the process drains and exits", {}};
    if (dry_run()) return done(reply(result, true));
    if (!has("wait")) {
      control.drain_process(nullptr);
      return done(reply(result, false));
    }
    control.drain_process([result, answer = done](const DrainReport& report, std::function<void()> sent) {
      ControlReply r = reply(result, false, &report);
      r.sent = std::move(sent);
      answer(std::move(r));
    });
  }

  void server_verb(const std::string& group, const std::string& address, const std::string& verb) {
    if (verb == "weight") return weight(group, address);
    if (verb == "undrain") return done(reply(control.changes().undrain_server(group, address, dry_run()), dry_run()));
    drain([&](std::optional<Nanos> within, RuntimeChanges::Drained over) {
      return control.changes().drain_server(group, address, within, dry_run(), std::move(over));
    });
  }

  void listener_verb(const std::string& name, const std::string& verb) {
    if (verb == "undrain") return done(reply(control.changes().undrain_listener(name, dry_run()), dry_run()));
    drain([&](std::optional<Nanos> within, RuntimeChanges::Drained over) {
      return control.changes().drain_listener(name, within, dry_run(), std::move(over));
    });
  }
};

}  // namespace

std::vector<std::string> path_segments(std::string_view path) {
  return split(path.substr(std::min<std::size_t>(path.size(), 1)), '/');
}

bool run_verb(Control& control, const std::string& target, const std::string& body,
              std::function<void(ControlReply)> done) {
  std::size_t mark = target.find('?');
  std::vector<std::string> path = path_segments(std::string_view(target).substr(0, mark));
  Call call{control, {}, body, std::move(done)};
  if (mark != std::string::npos) {
    for (const std::string& one : split(std::string_view(target).substr(mark + 1), '&')) {
      std::size_t equals = one.find('=');
      call.options[one.substr(0, equals)] = equals == std::string::npos ? "" : one.substr(equals + 1);
    }
  }
  if (path.size() < 2 || path[0] != "v1") return false;
  const std::string& verb = path.back();
  const bool drains = verb == "drain" || verb == "undrain";
  if (path.size() == 2 && verb == "drain") {
    call.drain_process();
  } else if (path.size() == 2 && verb == "explain") {
    call.done(explain_live(control, body));
  } else if (path.size() == 6 && path[1] == "listeners" && path[3] == "rules" && verb == "weights") {
    call.rule_weights(path[2] + "/" + path[4]);
  } else if (path.size() == 7 && path[1] == "listeners" && path[3] == "rules" && path[5] == "rollout" &&
             rollout_verb(verb)) {
    const std::string rule = path[2] + "/" + path[4];
    call.done(reply(control.rollouts().act(rule, *rollout_verb(verb), call.dry_run()), call.dry_run()));
  } else if (path.size() == 4 && path[1] == "listeners" && drains) {
    call.listener_verb(path[2], verb);
  } else if (path.size() == 6 && path[1] == "server_groups" && path[3] == "servers" && (drains || verb == "weight")) {
    call.server_verb(path[2], path[4], verb);
  } else {
    return false;
  }
  return true;
}

std::string journal_json(const Control& control) {
  json out = json::array();
  for (const JournalEntry& e : control.view().journal)
    out.push_back({{"time", static_cast<double>(e.wall / kMilli) / 1000}, {"what", e.what}});
  return text_of({{"journal", out}});
}

}  // namespace albatross
