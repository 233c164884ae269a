// explain: what happens to a request, by a file or by the running process.
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/timestamp.h"
#include "cli/commands.h"
#include "cli/curl_line.h"
#include "cli/explain_text.h"
#include "config/load.h"
#include "lint/explain.h"

namespace albatross::cli {
namespace {

using Json = nlohmann::ordered_json;

int wrong(const std::string& why) {
  std::cerr << "albatross explain: " << why << "\n";
  return 2;
}

int failed(const std::string& why) {
  std::cerr << "albatross explain: " << why << "\n";
  return 1;
}

// The request of the words: METHOD URL, URL, or a command line of curl. False, and `error`, if they are none.
bool request_of(const ExplainOptions& o, ExplainRequest& request, std::string& error) {
  const std::vector<std::string>& words = o.words;
  if (words.empty()) {
    error = "which request? albatross explain -c FILE METHOD URL, or -- curl …";
    return false;
  }
  if (words[0] == "curl") {
    CurlLine line = parse_curl({words.begin() + 1, words.end()});
    error = line.error;
    if (!error.empty()) return false;
    request = std::move(line.request);
    std::string ignored;
    for (const std::string& option : line.ignored) ignored += (ignored.empty() ? "" : ", ") + option;
    if (!ignored.empty())
      std::cerr << "albatross explain: ignored, as it does not change the request: " << ignored << "\n";
  } else if (words.size() <= 2) {
    if (words.size() == 2) request.method = words[0];
    request.url = words.back();
  } else {
    error = "unexpected argument " + words[2] + "; write METHOD URL, and -- before a command line of curl";
    return false;
  }
  for (const std::string& header : o.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      error = "-H " + header + ": write it like -H 'Name: value'";
      return false;
    }
    const std::size_t value = header.find_first_not_of(" \t", colon + 1);
    request.headers.emplace_back(header.substr(0, colon), value == std::string::npos ? "" : header.substr(value));
  }
  if (!o.from.empty()) request.from = o.from;
  if (o.sni) request.sni = o.sni;
  if (o.alpn) request.alpn = o.alpn;
  if (o.at.empty()) return true;
  if (const auto time = parse_timestamp(o.at)) {
    request.wall = *time;
  } else {
    error = "--at " + o.at + ": write it like 2026-11-27T18:05Z";
    return false;
  }
  return true;
}

// By the file. Errors are printed.
std::optional<Json> by_file(const ExplainOptions& o, const ExplainRequest& request, int& code) {
  std::string error;
  auto source = config::read_source(o.target.config, error);
  if (!source) {
    code = failed(error);
    return std::nullopt;
  }
  config::Diagnostics out(o.target.config, source->text);
  const config::Config config = config::load(*source, out);
  const config::Listener* listener = out.ok() ? listener_for(config, o.listener, request, error) : nullptr;
  Json result;
  if (listener != nullptr) result = explain(config, *listener, request, out);
  if (!out.ok()) {
    out.print(std::cerr);
    code = 1;
    return std::nullopt;
  }
  if (listener == nullptr) {
    code = wrong(error);
    return std::nullopt;
  }
  return result;
}

// By the running process.
std::optional<Json> live(const ExplainOptions& o, const ExplainRequest& request, int& code) {
  Json body{{"method", request.method}, {"url", request.url}, {"from", request.from}, {"listener", o.listener}};
  if (request.sni) body["sni"] = *request.sni;
  if (request.alpn) body["alpn"] = *request.alpn;
  if (request.wall != 0) body["wall"] = request.wall;
  body["headers"] = Json::array();
  for (const auto& [name, value] : request.headers) body["headers"].push_back({name, value});
  const AdminReply reply =
      ask_admin(o.target, "POST", "/v1/explain", body.dump(-1, ' ', false, Json::error_handler_t::replace));
  Json result = Json::parse(reply.body, nullptr, false);
  if (reply.status == 200 && result.is_object()) return result;
  code = failed(error_text(reply));
  return std::nullopt;
}

}  // namespace

int explain_command(const ExplainOptions& o, bool as_json) {
  ExplainRequest request;
  std::string error;
  if (!request_of(o, request, error)) return wrong(error);
  if (!o.live && o.target.config.empty())
    return wrong("by which file? give -c FILE, or --live to ask the running process");
  int code = 0;
  const std::optional<Json> result = o.live ? live(o, request, code) : by_file(o, request, code);
  if (!result) return code;
  if (result->contains("error")) return failed((*result)["error"].get<std::string>());
  if (as_json) {
    std::cout << result->dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print_explanation(std::cout, *result, ::isatty(STDOUT_FILENO) == 1);
  }
  return 0;
}

}  // namespace albatross::cli
