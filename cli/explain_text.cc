#include "cli/explain_text.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace albatross::cli {

std::string percent(double part) {
  char out[16];
  std::snprintf(out, sizeof out, "%.1f", part * 100);
  std::string s = out;
  if (s.ends_with(".0")) s.resize(s.size() - 2);
  return s + " %";
}

namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& j, const char* key) {
  return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : "";
}

class Printer {
 public:
  Printer(std::ostream& out, bool colours) : out_(out), colours_(colours) {}

  void all(const Json& e) {
    request(e["request"]);
    rules(e);
    actions(e);
    if (e.contains("server_gets")) server_gets(e["server_gets"]);
    answer(e["answer"]);
    settings(e);
  }

 private:
  enum class Colour { kBold, kGood, kDim, kBad };

  std::string in(Colour colour, const std::string& s) const {
    if (!colours_ || s.empty()) return s;
    const char* code = colour == Colour::kBold   ? "1"
                       : colour == Colour::kGood ? "32"
                       : colour == Colour::kDim  ? "2"
                                                 : "31";
    return std::string("\033[") + code + "m" + s + "\033[0m";
  }
  void heading(const std::string& title, const std::string& more = {}) {
    out_ << "\n" << in(Colour::kBold, title) << (more.empty() ? "" : " ") << more << "\n";
  }
  // "  key       value", the keys as wide as the widest.
  void pairs(const std::vector<std::pair<std::string, std::string>>& rows) {
    std::size_t width = 0;
    for (const auto& [key, value] : rows) width = std::max(width, key.size());
    for (const auto& [key, value] : rows) {
      out_ << "  " << key << std::string(width + 2 - key.size(), ' ') << value << "\n";
    }
  }

  void request(const Json& r) {
    const std::string query = text(r, "query");
    out_ << in(Colour::kBold, text(r, "method") + " " + text(r, "scheme") + "://" + text(r, "host") + text(r, "path") +
                                  (query.empty() ? "" : "?" + query))
         << "  on listener " << text(r, "listener") << "\n";
    std::vector<std::pair<std::string, std::string>> rows;
    if (r.contains("sent_path")) rows.emplace_back("path", text(r, "path") + ", sent as " + text(r, "sent_path"));
    rows.emplace_back("client",
                      text(r, "client") + (r.contains("peer") ? ", by the trusted proxy " + text(r, "peer") : ""));
    if (r.contains("dropped_for_underscore")) {
      std::string names;
      for (const Json& name : r["dropped_for_underscore"])
        names += (names.empty() ? "" : ", ") + name.get<std::string>();
      rows.emplace_back("dropped", names + ": could pass for another field (underscores)");
    }
    if (r.contains("sni")) rows.emplace_back("SNI", text(r, "sni"));
    if (r.contains("alpn")) rows.emplace_back("ALPN", text(r, "alpn"));
    if (r.contains("time")) rows.emplace_back("time", text(r, "time"));
    pairs(rows);
  }

  void rules(const Json& e) {
    heading("Rules");
    std::size_t width = 0;
    for (const Json& r : e["rules"]) width = std::max(width, text(r, "rule").size());
    for (const Json& r : e["rules"]) {
      const std::string name = text(r, "rule");
      const bool matched = r["matched"].get<bool>();
      char priority[16];
      std::snprintf(priority, sizeof priority, "%6d", r["priority"].get<int>());
      std::string why;
      if (matched) {
        for (const Json& c : r.value("conditions", Json::array()))
          why += (why.empty() ? "" : ", ") + c.get<std::string>();
        if (why.empty()) why = "every request matches";
      } else {
        why = "wants " + text(r, "wanted") + "; it is " + text(r, "found");
      }
      if (r.contains("disagreement")) why += in(Colour::kBad, "  (" + text(r, "disagreement") + ": please report it)");
      out_ << priority << "  " << in(matched ? Colour::kGood : Colour::kDim, name)
           << std::string(width + 2 - name.size(), ' ')
           << (matched ? in(Colour::kGood, "yes") : in(Colour::kDim, "no ")) << "  " << why << "\n";
    }
    const std::string rule = text(e, "rule");
    if (rule.ends_with("/default")) out_ << "        " << in(Colour::kGood, "default actions") << "\n";
    if (!e.contains("captures")) return;
    std::string captures;
    for (const auto& [name, value] : e["captures"].items())
      captures += (captures.empty() ? "" : "  ") + name + "=" + value.get<std::string>();
    out_ << "        " << captures << "\n";
  }

  void actions(const Json& e) {
    if (!e.contains("actions") || e["actions"].empty()) return;
    heading("Actions");
    for (const Json& a : e["actions"]) {
      if (a.contains("insert_header")) {
        out_ << "  insert_header  " << text(a, "insert_header") << ": " << text(a, "value") << "\n";
      } else if (a.contains("remove_header")) {
        out_ << "  remove_header  " << text(a, "remove_header") << "\n";
      } else {
        std::string what;
        for (const auto& [key, value] : a["rewrite"].items())
          what += (what.empty() ? "" : ", ") + key + " " + value.get<std::string>();
        out_ << "  rewrite        " << what << "\n";
      }
    }
  }

  void server_gets(const Json& s) {
    heading("The server gets");
    out_ << "  " << text(s, "method") << " " << text(s, "target") << "\n  Host: " << text(s, "host") << "\n";
    for (const auto& [name, value] : s["sets"].items())
      out_ << in(Colour::kGood, "+ " + name + ": ") << value.get<std::string>() << "\n";
    std::string also;
    for (const Json& name : s["also_sets"]) also += (also.empty() ? "" : ", ") + name.get<std::string>();
    out_ << in(Colour::kGood, "+ ") << also << "\n";
    for (const Json& name : s["drops"]) out_ << in(Colour::kBad, "- " + name.get<std::string>()) << "\n";
  }

  void answer(const Json& a) {
    if (a.contains("cause")) {
      heading("Answer", std::to_string(a["status"].get<int>()) + " " + text(a, "cause"));
      if (a.contains("detail")) out_ << "  " << text(a, "detail") << "\n";
    } else if (a.contains("redirect")) {
      heading("Redirect", std::to_string(a["redirect"].get<int>()) + " to " + text(a, "location"));
    } else if (a.contains("fixed_response")) {
      heading("Fixed response", std::to_string(a["fixed_response"].get<int>()) + " " + text(a, "content_type"));
      if (!text(a, "body").empty()) out_ << "  " << text(a, "body") << "\n";
    } else {
      for (const Json& g : a["forward"]) group(g);
      if (a.contains("sticky")) sticky(a["sticky"]);
    }
  }

  void sticky(const Json& s) {
    out_ << "\n  sticky for " << s["seconds"].get<std::uint64_t>() << " s by the cookie " << text(s, "cookie");
    if (s.contains("keeps")) out_ << ", which says " << text(s, "keeps");
    out_ << "\n";
  }

  void group(const Json& g) {
    std::string more = "weight " + std::to_string(g["weight"].get<std::uint32_t>());
    if (g.contains("file_weight")) more += " (the file: " + std::to_string(g["file_weight"].get<std::uint32_t>()) + ")";
    heading("Group " + text(g, "group"), percent(g["part"].get<double>()) + " of the requests, " + more +
                                             (g.contains("scheduler") ? ", " + text(g, "scheduler") : ""));
    if (!g.contains("servers")) return;
    std::size_t width = 0;
    for (const Json& s : g["servers"]) width = std::max(width, text(s, "address").size());
    for (const Json& s : g["servers"]) {
      const std::string address = text(s, "address");
      char numbers[64];
      std::snprintf(numbers, sizeof numbers, "weight %-5u  %7s", s["weight"].get<std::uint32_t>(),
                    percent(s["part"].get<double>()).c_str());
      std::string state = text(s, "state");
      if (s.contains("zone")) state += ", zone " + text(s, "zone");
      if (s.contains("backup")) state += ", backup";
      if (s.contains("slow_start")) state += ", slow start at " + percent(s["slow_start"].get<double>());
      out_ << (s.contains("next") ? in(Colour::kGood, "> ") : "  ") << address
           << std::string(width + 2 - address.size(), ' ') << numbers << "  " << state << "\n";
    }
    if (g.contains("nobody")) out_ << "  " << in(Colour::kBad, text(g, "nobody")) << "\n";
  }

  void settings(const Json& e) {
    heading("In force");
    std::string timeouts, limits;
    for (const auto& [key, value] : e["timeouts"].items())
      timeouts += (timeouts.empty() ? "" : ", ") + key + " " + value.get<std::string>();
    for (const auto& [key, value] : e["limits"].items())
      limits += (limits.empty() ? "" : ", ") + key + " " + value.get<std::string>();
    pairs({{"timeouts", timeouts}, {"limits", limits}});
  }

  std::ostream& out_;
  bool colours_;
};

}  // namespace

void print_explanation(std::ostream& out, const Json& explanation, bool colours) {
  Printer(out, colours).all(explanation);
}

}  // namespace albatross::cli
