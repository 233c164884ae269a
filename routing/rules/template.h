// PRODUCT §1's variables: "${host}/x/${1}" compiled to parts, expanded into an arena per request.
//
// A Template owns its text and is const after compile; expand may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "config/diagnostics.h"
#include "http/head.h"
#include "routing/rules/rule_table.h"

namespace albatross {

// What variables stand for in one request. Views must outlive the expansion.
struct TemplateValues {
  std::string_view written_port;  // what the client wrote behind the host; a redirect keeps it, "" included
  std::string_view host, path, query, port, protocol, client_ip, client_port, listener, rule, request_id;
  const Fields* fields = nullptr;      // ${header:name}: the first field line; ${cookie:name}
  const Captures* captures = nullptr;  // ${1}..${9}
};

class Template {
 public:
  Template() = default;
  // An unknown variable, a bad capture number or an unclosed "${" is an error at `text.at`, with the nearest known
  // name.
  // "$${" is a literal "${".
  static Template compile(const config::Value<std::string>& text, const std::string& path, config::Diagnostics& out);

  // A literal is returned as it is; else the text is built in the arena.
  std::string_view expand(const TemplateValues& values, Arena& arena) const;
  bool is_literal() const;
  bool uses_captures() const;

 private:
  enum class Kind : std::uint8_t {
    kLiteral,
    kHost,
    kPath,
    kQuery,
    kPort,
    kProtocol,
    kClientIp,
    kClientPort,
    kListener,
    kRule,
    kRequestId,
    kHeader,
    kCookie,
    kCapture
  };
  struct Part {
    Kind kind = Kind::kLiteral;
    int capture = 0;
    std::string text;  // literal, header or cookie name
  };
  static const std::vector<std::pair<std::string_view, Kind>>& names();
  static Part parse(std::string_view name, std::string& message, std::string& hint);
  static std::string_view value_of(const Part& part, const TemplateValues& values);
  std::vector<Part> parts_;
};

// The value of the named cookie over all Cookie fields (RFC 6265 §5.4: "a=1; b=2"); nullopt if absent.
std::optional<std::string_view> find_cookie(const Fields& fields, std::string_view name);

}  // namespace albatross
