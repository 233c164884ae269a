#include "routing/rules/template.h"

#include <algorithm>

#include "base/text.h"
#include "http/uri.h"
#include "routing/rules/condition.h"

namespace albatross {
namespace {

constexpr std::string_view kOpen = "${";
constexpr std::string_view kEscapedOpen = "$${";

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

const std::vector<std::pair<std::string_view, Template::Kind>>& Template::names() {
  static const std::vector<std::pair<std::string_view, Kind>> all = {
      {"host", Kind::kHost},
      {"path", Kind::kPath},
      {"query", Kind::kQuery},
      {"port", Kind::kPort},
      {"protocol", Kind::kProtocol},
      {"client_ip", Kind::kClientIp},
      {"client_port", Kind::kClientPort},
      {"listener", Kind::kListener},
      {"rule", Kind::kRule},
      {"request_id", Kind::kRequestId},
  };
  return all;
}

// `name` is the text between the braces. An empty message means that the part is good.
Template::Part Template::parse(std::string_view name, std::string& message, std::string& hint) {
  for (const auto& [known, kind] : names()) {
    if (name == known) return {kind, 0, {}};
  }
  if (is_digits(name)) {
    if (name.size() == 1 && name != "0") return {Kind::kCapture, name[0] - '0', {}};
    message = "no capture " + std::string(name);
    hint = "captures are ${1} to ${9}";
    return {};
  }
  const std::size_t colon = name.find(':');
  const std::string_view family = name.substr(0, colon);
  if (family == "header" || family == "cookie") {
    const std::string_view of = colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1);
    if (is_token(of)) return {family == "header" ? Kind::kHeader : Kind::kCookie, 0, std::string(of)};
    message = "variable " + quoted(name) + " needs a name";
    hint = "such as ${" + std::string(family) + ":x-name}";
    return {};
  }
  std::vector<std::string> candidates = {"header", "cookie"};
  for (const auto& entry : names()) candidates.emplace_back(entry.first);
  message = "unknown variable " + quoted(name);
  const std::string near = config::nearest(family, candidates);
  if (!near.empty()) hint = "did you mean " + quoted(near) + "?";
  return {};
}

Template Template::compile(const config::Value<std::string>& text, const std::string& path, config::Diagnostics& out) {
  Template result;
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) result.parts_.push_back({Kind::kLiteral, 0, std::move(literal)});
    literal.clear();
  };
  std::string_view rest = *text;
  while (!rest.empty()) {
    if (rest.starts_with(kEscapedOpen)) {
      literal += kOpen;
      rest.remove_prefix(kEscapedOpen.size());
    } else if (rest.starts_with(kOpen)) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        out.error(text.at, path, "\"${\" without \"}\"", "a literal \"${\" is written \"$${\"");
        return result;
      }
      std::string message;
      std::string hint;
      Part part = parse(rest.substr(kOpen.size(), end - kOpen.size()), message, hint);
      if (!message.empty()) out.error(text.at, path, std::move(message), std::move(hint));
      flush();
      result.parts_.push_back(std::move(part));
      rest.remove_prefix(end + 1);
    } else {
      literal += rest.front();
      rest.remove_prefix(1);
    }
  }
  flush();
  return result;
}

std::string_view Template::expand(const TemplateValues& values, Arena& arena) const {
  if (parts_.empty()) return {};
  if (is_literal()) return parts_.front().text;
  std::size_t size = 0;
  for (const Part& part : parts_) size += value_of(part, values).size();
  char* const start = arena.bytes(size);
  char* at = start;
  for (const Part& part : parts_) {
    const std::string_view value = value_of(part, values);
    at = std::copy(value.begin(), value.end(), at);
  }
  return {start, size};
}

bool Template::is_literal() const {
  return parts_.empty() || (parts_.size() == 1 && parts_.front().kind == Kind::kLiteral);
}

int Template::greatest_capture() const {
  int greatest = 0;
  for (const Part& part : parts_) greatest = std::max(greatest, part.capture);
  return greatest;
}

void Template::add_header_names(std::vector<std::string>& out) const {
  for (const Part& part : parts_) {
    if (part.kind == Kind::kHeader) out.push_back(ascii_lower(part.text));
  }
}

std::string_view Template::value_of(const Part& part, const TemplateValues& values) {
  switch (part.kind) {
    case Kind::kLiteral: return part.text;
    case Kind::kHost: return values.host;
    case Kind::kPath: return values.path;
    case Kind::kQuery: return values.query;
    case Kind::kPort: return values.port;
    case Kind::kProtocol: return values.protocol;
    case Kind::kClientIp: return values.client_ip;
    case Kind::kClientPort: return values.client_port;
    case Kind::kListener: return values.listener;
    case Kind::kRule: return values.rule;
    case Kind::kRequestId: return values.request_id;
    case Kind::kHeader: {
      const Field* field = values.fields == nullptr ? nullptr : values.fields->find(part.text);
      return field == nullptr ? std::string_view() : field->value();
    }
    case Kind::kCookie:
      return values.fields == nullptr ? std::string_view()
                                      : find_cookie(*values.fields, part.text).value_or(std::string_view());
    case Kind::kCapture:
      return values.captures == nullptr ? std::string_view() : values.captures->group[part.capture - 1];
  }
  return {};
}

std::optional<std::string_view> find_cookie(const Fields& fields, std::string_view name) {
  std::optional<std::string_view> found;
  any_cookie(fields, name, [&found](std::string_view value) {
    found = value;
    return true;
  });
  return found;
}

TemplateValues request_values(const Head& head, const Believed& believed, std::string_view port,
                              const Captures& captures) {
  TemplateValues v;
  v.host = host_of(head.authority);
  v.path = head.path;
  v.query = head.query;
  v.written_port = port_of(head.authority);
  v.port = !v.written_port.empty() ? v.written_port : believed.port.empty() ? port : believed.port;
  v.protocol = believed.scheme;
  v.fields = &head.fields;
  v.captures = &captures;
  return v;
}

void use_believed_host(TemplateValues& values, const Believed& believed) {
  if (believed.host.empty()) return;
  values.host = host_of(believed.host);
  values.written_port = port_of(believed.host);
}

}  // namespace albatross
