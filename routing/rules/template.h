// Texts with variables, such as "${host}/x/${1}": compiled to parts once, expanded for each request.
//
// A Template owns its text and is const after compile(); any thread may expand it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "config/diagnostics.h"
#include "http/forwarded.h"
#include "http/head.h"
#include "routing/rules/rule_table.h"

namespace albatross {

// The values of the variables in one request. The views must outlive the expansion.
struct TemplateValues {
  std::string_view written_port;  // the port that the client wrote after the host, or ""; for redirects, not a variable
  std::string_view host, path, query, port, protocol, client_ip, client_port, listener, rule, request_id;
  const Fields* fields = nullptr;      // ${header:name}: the first field line; ${cookie:name}
  const Captures* captures = nullptr;  // ${1}..${9}
};

// The values that the request itself gives. The rest is the caller's: addresses, names, the request's id. `port`: the
// listener's.
TemplateValues request_values(const Head& head, const Believed& believed, std::string_view port,
                              const Captures& captures);
// A redirect goes to the host that the client has asked for, also behind a trusted proxy.
void use_believed_host(TemplateValues& values, const Believed& believed);

class Template {
 public:
  Template() = default;
  // "$${" is a literal "${". An unknown variable, a bad capture number or a "${" without "}" is an error at `text.at`;
  // `path` names the key.
  static Template compile(const config::Value<std::string>& text, const std::string& path, config::Diagnostics& out);

  // For a literal a view of this template; else the text is built in the arena. A variable that a request does not have
  // is empty.
  std::string_view expand(const TemplateValues& values, Arena& arena) const;
  bool is_literal() const;
  // The N of the greatest ${N}, 1 to 9; 0 if there is none.
  int greatest_capture() const;
  // Appends the names, in lower case, of the headers that it reads.
  void add_header_names(std::vector<std::string>& out) const;

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

// The first value of the cookie of that name in all Cookie fields (RFC 6265 §5.4); nullopt if there is none.
std::optional<std::string_view> find_cookie(const Fields& fields, std::string_view name);

}  // namespace albatross
