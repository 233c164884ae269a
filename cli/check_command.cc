#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "config/lint_ids.h"
#include "config/load.h"
#include "lint/lints.h"
#include "process/builder.h"

namespace albatross::cli {
namespace {

using Json = nlohmann::ordered_json;

// SARIF 2.1.0, which code hosts show beside the lines of a change.
Json sarif(const config::Diagnostics& out) {
  Json results = Json::array(), rules = Json::array();
  for (const config::Diagnostic& d : out.all()) {
    const std::string level = d.severity == config::Diagnostic::Severity::kError ? "error" : "warning";
    const std::string text = (d.path.empty() ? "" : d.path + ": ") + d.message + (d.hint.empty() ? "" : ", " + d.hint);
    Json place{{"artifactLocation", {{"uri", out.file(d.at.file)}}}};
    if (d.at.written()) place["region"] = {{"startLine", d.at.line}, {"startColumn", d.at.column}};
    Json result{{"ruleId", d.id.empty() ? level : d.id}, {"level", level}, {"message", {{"text", text}}}};
    result["locations"] = Json::array({{{"physicalLocation", place}}});
    results.push_back(std::move(result));
  }
  for (const std::string& id : config::lint_ids()) rules.push_back({{"id", id}});
  const Json driver{{"name", "albatross"}, {"rules", rules}};
  return {{"version", "2.1.0"},
          {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
          {"runs", Json::array({{{"tool", {{"driver", driver}}}, {"results", results}}})}};
}

}  // namespace

int check_command(const CheckOptions& o) {
  if (o.file.empty()) {
    std::cerr << "albatross check: no file given: albatross check FILE\n";
    return 2;
  }
  std::string error;
  auto source = config::read_source(o.file, error);
  if (!source) {
    std::cerr << "albatross: " << error << "\n";
    return 1;
  }
  config::Diagnostics out(o.file, source->text);
  config::Config c = config::load(*source, out);
  std::vector<std::pair<std::string, std::string>> skipped;
  // Compiles patterns and loads certificates, which needs a configuration without errors.
  if (out.ok()) albatross::check(c, out);
  if (out.ok()) {
    const Cloud cloud = o.cloud == "alb" ? Cloud::kAlb : o.cloud == "aws-alb" ? Cloud::kAwsAlb : Cloud::kNone;
    Findings findings = find_lints(c, {std::time(nullptr), o.online, cloud});
    for (config::Diagnostic& one : findings.all) out.add(std::move(one));
    skipped = std::move(findings.skipped);
  }
  if (o.format == "sarif") {
    std::cout << sarif(out).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else if (o.format == "json") {
    Json list = Json::parse(out.to_json());
    for (const auto& [id, needs] : skipped) {
      list.push_back(
          {{"severity", "skipped"}, {"id", id}, {"message", "not looked for"}, {"hint", "it needs " + needs}});
    }
    std::cout << list.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    out.print(std::cerr);
    if (out.ok()) std::cout << o.file << ": ok\n";
  }
  return out.ok() && !(o.strict && !out.all().empty()) ? 0 : 1;
}

}  // namespace albatross::cli
