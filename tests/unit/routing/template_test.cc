#include "routing/rules/template.h"

#include <catch2/catch_test_macros.hpp>

#include "routing/rules/route.h"
#include "tests/unit/routing/routing_support.h"

namespace albatross::test {
namespace {

struct Fixture {
  Arena arena;
  Fields fields{arena};
  Captures captures;
  TemplateValues values{.written_port = {},
                        .host = "example.com",
                        .path = "/a",
                        .query = "q=1",
                        .port = "8443",
                        .protocol = "https",
                        .client_ip = "10.0.0.1",
                        .client_port = "5555",
                        .listener = "web",
                        .rule = "api",
                        .request_id = "id-1",
                        .fields = nullptr,
                        .captures = nullptr};

  Fixture() {
    fields.add("X-Name", "first");
    fields.add("x-name", "second");
    fields.add("Cookie", "a=1; b=\"two\"; a=3");
    captures.group[0] = "one";
    captures.group[8] = "nine";
    values.fields = &fields;
    values.captures = &captures;
  }

  std::string expand(const std::string& text) {
    config::Diagnostics out("test.yaml", "");
    const Template compiled = Template::compile(text, "x", out);
    REQUIRE(out.ok());
    return std::string(compiled.expand(values, arena));
  }
};

config::Diagnostic error_of(const std::string& text) {
  config::Diagnostics out("test.yaml", "");
  Template::compile({text, {3, 7}}, "listeners[0].rules[1].actions[0].rewrite.path", out);
  REQUIRE(out.errors() == 1);
  CHECK(out.all()[0].at.line == 3);
  CHECK(out.all()[0].path == "listeners[0].rules[1].actions[0].rewrite.path");
  return out.all()[0];
}

// What `check` says of a rule with this condition that redirects to this path; "" if it says nothing.
std::string warning_of(config::Condition condition, const std::string& to) {
  config::Listener listener;
  add_rule(listener, {std::move(condition)});
  config::Action& action = listener.rules[0].actions.emplace_back();
  action.kind = config::Action::Kind::kRedirect;
  action.redirect.path = config::Value<std::string>{to, {3, 7}};
  config::Diagnostics out("test.yaml", "");
  ServerTable table;
  compile_routes(listener, "l", table, out);
  CHECK(out.ok());
  return out.all().empty() ? "" : out.all()[0].message;
}

TEST_CASE("variables that no request fills are warned of") {
  CHECK(warning_of(path({prefix("/x")}), "/${1}").starts_with("${1} is always empty"));
  CHECK(warning_of(path({regex("^/x/(.*)$")}), "/${3}").starts_with("${3} is always empty"));
  CHECK(warning_of(host({regex("(.*)")}), "/${1}").starts_with("${1} is always empty"));
  CHECK(warning_of(path({regex("^/x/(.*)$")}), "/$1").starts_with("\"$1\" is no variable"));
  CHECK(warning_of(path({prefix("/x")}), "/y/#{path}").starts_with("\"#{path}\" is no variable"));
  CHECK(warning_of(path({regex("^/(x)/(.*)$")}), "/${1}${2}").empty());
  CHECK(warning_of(path({exact("/a"), regex("^/(x)")}), "/${1}$#${path}").empty());
}

TEST_CASE("every variable is expanded") {
  Fixture f;
  CHECK(f.expand("${protocol}://${host}:${port}${path}?${query}") == "https://example.com:8443/a?q=1");
  CHECK(f.expand("${client_ip} ${client_port} ${listener}/${rule} ${request_id}") == "10.0.0.1 5555 web/api id-1");
  CHECK(f.expand("[${header:x-name}] [${header:X-NAME}] [${header:absent}]") == "[first] [first] []");
  CHECK(f.expand("${cookie:a}${cookie:b}${cookie:B}") == "1\"two\"");
  CHECK(f.expand("/users/${1}/${2}/${9}") == "/users/one//nine");
}

TEST_CASE("literals are what they are") {
  Fixture f;
  CHECK(f.expand("") == "");
  CHECK(f.expand("plain $ {} } $x") == "plain $ {} } $x");
  CHECK(f.expand("$${host}") == "${host}");
  CHECK(f.expand("$$${host}") == "$${host}");
  CHECK(f.expand("a$${b${host}") == "a${bexample.com");
  CHECK(f.expand("$") == "$");
}

TEST_CASE("a literal is not copied, and a template knows what it uses") {
  Fixture f;
  config::Diagnostics out("test.yaml", "");
  const Template literal = Template::compile({"a literal longer than any small string"}, "x", out);
  CHECK(literal.is_literal());
  CHECK(literal.expand(f.values, f.arena).data() == literal.expand(f.values, f.arena).data());
  CHECK(Template().is_literal());
  CHECK(Template().expand(f.values, f.arena).empty());
  const Template captures = Template::compile({"/${1}"}, "x", out);
  CHECK(captures.greatest_capture() == 1);
  CHECK_FALSE(captures.is_literal());
  CHECK(Template::compile({"${host}"}, "x", out).greatest_capture() == 0);
}

TEST_CASE("without fields and captures their variables are empty") {
  Fixture f;
  f.values.fields = nullptr;
  f.values.captures = nullptr;
  CHECK(f.expand("<${header:a}${cookie:a}${1}>") == "<>");
}

TEST_CASE("what is no variable is an error with a way out") {
  CHECK(error_of("${hots}").message == "unknown variable \"hots\"");
  CHECK(error_of("${hots}").hint == "did you mean \"host\"?");
  CHECK(error_of("${headers:x}").hint == "did you mean \"header\"?");
  CHECK(error_of("${Host}").message == "unknown variable \"Host\"");
  CHECK(error_of("${}").message == "unknown variable \"\"");
  CHECK(error_of("${host").message == "\"${\" without \"}\"");
  CHECK(error_of("a${").message == "\"${\" without \"}\"");
  CHECK(error_of("${0}").message == "no capture 0");
  CHECK(error_of("${10}").hint == "captures are ${1} to ${9}");
  CHECK(error_of("${01}").message == "no capture 01");
  CHECK(error_of("${header:}").message == "variable \"header:\" needs a name");
  CHECK(error_of("${cookie}").message == "variable \"cookie\" needs a name");
  CHECK(error_of("${header:a b}").message == "variable \"header:a b\" needs a name");
}

TEST_CASE("all errors of a template are reported") {
  config::Diagnostics out("test.yaml", "");
  Template::compile({"${a}${0}${b"}, "x", out);
  CHECK(out.errors() == 3);
}

TEST_CASE("cookies are found over all fields, the first of a name") {
  Arena arena;
  Fields fields(arena);
  fields.add("Cookie", "a=1;b = 2; c");
  fields.add("cookie", "a=2; d=; e=\"q;\"");
  CHECK(find_cookie(fields, "a") == "1");
  CHECK(find_cookie(fields, "d") == "");
  CHECK(find_cookie(fields, "e") == "\"q");
  CHECK_FALSE(find_cookie(fields, "c").has_value());
  CHECK_FALSE(find_cookie(fields, "A").has_value());
  CHECK_FALSE(find_cookie(Fields(), "a").has_value());
}

}  // namespace
}  // namespace albatross::test
