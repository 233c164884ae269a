// YAML and JSON: what is refused, where, and what means what it says.
#include <catch2/catch_test_macros.hpp>

#include "sample.h"

namespace albatross::config::test {
namespace {

struct Refused {
  std::string text;
  std::uint32_t line;
  std::uint32_t column;
  std::string piece;  // of "message | hint"
};

void check_refused(const std::vector<Refused>& cases, Format format) {
  for (const Refused& one : cases) {
    const Loaded loaded = load_text(one.text, format);
    INFO(one.text.substr(0, 200));
    INFO(printed(loaded.diagnostics).substr(0, 2000));
    bool found = false;
    for (const Diagnostic& diagnostic : loaded.diagnostics.all()) {
      found = found || (diagnostic.at.line == one.line && diagnostic.at.column == one.column &&
                        (diagnostic.message + " | " + diagnostic.hint).find(one.piece) != std::string::npos);
    }
    CHECK(found);
    CHECK_FALSE(loaded.diagnostics.ok());
  }
}

std::string repeat(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

// Each line holds ten aliases of the line before.
std::string alias_bomb() {
  std::string out = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string n = std::to_string(i), before = "*a" + std::to_string(i - 1);
    out += "a" + n + ": &a" + n + " [" + before + repeat(", " + before, 9) + "]\n";
  }
  return out;
}

std::string alias_chain() {
  std::string out = "a0: &a0 [x]\n";
  for (int i = 1; i < 100; ++i) {
    const std::string n = std::to_string(i);
    out += "a" + n + ": &a" + n + " [*a" + std::to_string(i - 1) + "]\n";
  }
  return out;
}

}  // namespace

TEST_CASE("YAML that is not plain is refused at its place") {
  check_refused(
      {
          {"", 1, 1, "the file is empty"},
          {"# nothing\n\n", 1, 1, "the file is empty"},
          {"---\n...\n", 2, 1, "the file is empty"},
          {" \n", 1, 1, "the file is empty"},
          {"a: 1\n---\nb: 2\n", 2, 1, "more than one document"},
          {"a: 1\na: 2\n", 2, 1, "the key is written twice"},
          {"a: {b: 1,\n  b: 2}\n", 2, 3, "the key is written twice"},
          {"a: !!int 1\n", 1, 4, "tags are not supported"},
          {"a: !x {b: c}\n", 1, 4, "tags are not supported"},
          {"a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "merge keys are not supported"},
          {"a: &x {b: *x}\n", 1, 11, "inside its own anchor"},
          {"a: *x\n", 1, 4, "anchor"},
          {"host: *.example.com\n", 1, 7, "in quotes"},
          {"? [a]\n: b\n", 1, 3, "a key must be plain text"},
          {"a: [1, 2\n", 2, 1, "not valid YAML"},
          {"a: \"b\n", 1, 4, "the quote is not closed"},
          {"a: 'b''\n", 1, 4, "the quote is not closed"},
          {"\xc3\xbc: \"\xc3\xbc\"\r\nc: \"d\r\n", 2, 4, "the quote is not closed"},
          {"a: &x \"b\\\"\n\n", 1, 4, "the quote is not closed"},
          {"a: b: c\n", 1, 5, "not valid YAML"},
          {"a:\n  b: 1\n c: 2\n", 3, 2, "not valid YAML"},
          {"a:\n\tb: c\n", 2, 1, "a tab stands in the indentation | indent with spaces, not tabs"},
          {"a:\n\t- b\n", 2, 1, "indent with spaces"},
          {"a:\n  b: c\n  \td: e\n", 3, 3, "indent with spaces"},
          {"\ta: b\n", 1, 1, "indent with spaces"},
          {"a: b\nc: \xc3\x28\n", 2, 4, "not valid UTF-8"},
          {"a: \xed\xa0\x80\n", 1, 4, "not valid UTF-8"},
          {std::string("a: b\nc: \x01\n"), 2, 4, "a control character"},
          {std::string("a\0b", 3), 1, 2, "a control character"},
          {repeat("- ", 100) + "x\n", 1, 129, "nested deeper than 64 levels"},
          {"a: " + repeat("[", 200) + repeat("]", 200) + "\n", 1, 67, "nested deeper than 64 levels"},
          {alias_bomb(), 6, 40, "the file is too large"},
          {alias_chain(), 64, 12, "nested deeper than 64 levels"},
      },
      Format::kYaml);
}

TEST_CASE("JSON that is not well-formed is refused at its place") {
  check_refused(
      {
          {"", 1, 1, "the file is empty"},
          {"null", 1, 1, "the file is empty"},
          {"{\"a\": 1,}", 1, 9, "not valid JSON: unexpected '}'"},
          {"{\"a\":\n, 1}", 2, 1, "not valid JSON: unexpected ','"},
          {"{\"a\": 1", 1, 8, "unexpected end of input"},
          {"{\"a\": 010}", 1, 7, "unexpected number literal"},
          {"{\"a\": 1e999}", 1, 7, "the number is too large"},
          {"{\"a\": tru}", 1, 7, "invalid literal"},
          {"{\"a\": \"x", 1, 7, "missing closing quote"},
          {"{\"a\": \"x\ny\"}", 1, 9, "invalid string"},
          {"{\"a\":\n \"b\\q\"}", 2, 5, "invalid string"},
          {"{\"a\": 1} 2", 1, 10, "expected end of input"},
          {"{\"a\" \"b\"}", 1, 6, "expected ':'"},
          {"{a: 1}", 1, 2, "invalid literal"},
          {"{\"a\": 1 /* x", 1, 13, "invalid comment"},
          {"{\"a\": 1,\n // \"a\": 3\n \"a\": 2}", 3, 2, "the key is written twice"},
          {"{\"a\": \"\xff\"}", 1, 8, "not valid UTF-8"},
          {"{\n  \"listeners\": [/* ] */ {\"a\": -12.5e3, \"x\\\"y\": null, \"bnd\" : 1}]\n}", 2, 54,
           "did you mean \"bind\"?"},
          {repeat("[", 100000), 1, 65, "nested deeper than 64 levels"},
          {repeat("{\"a\":", 100) + "1", 1, 321, "nested deeper than 64 levels"},
      },
      Format::kJson);
}

TEST_CASE("YAML scalars mean what they say") {
  const auto weight = [](const std::string& text) {
    const Loaded loaded = load_text(with_actions("[forward: {groups: [{name: blue, weight: " + text + "}]}]"));
    INFO(printed(loaded.diagnostics));
    REQUIRE(loaded.diagnostics.ok());
    return *loaded.config.listeners[0].default_actions[0].forward.groups[0].weight;
  };
  CHECK(weight("010") == 10);
  CHECK(weight("0") == 0);
  for (const char* text : {"0x10", "0o10", "1_000", "+5", "5.0", ".inf", "~", "''", "ten"}) {
    INFO(text);
    CHECK_FALSE(load_text(with_actions("[forward: {groups: [{name: blue, weight: " + std::string(text) + "}]}]"))
                    .diagnostics.ok());
  }
  for (const char* text : {"yes", "no", "on", "off", "True", "FALSE", "y", "1"}) {
    INFO(text);
    CHECK_FALSE(load_text(with_listener("half_close: " + std::string(text))).diagnostics.ok());
  }
  const auto value = [](const std::string& text) {
    const Loaded loaded = load_text(with_conditions("[header: {name: a, values: " + text + "}]"));
    INFO(printed(loaded.diagnostics));
    REQUIRE(loaded.diagnostics.ok());
    return loaded.config.listeners[0].rules[0].conditions[0].patterns.at(0).text;
  };
  for (const char* text : {"no", "off", "010", "1.10", "0x1F", "1e3", "2001-01-01", "12:30:45", "true"}) {
    CHECK(value(text) == text);
  }
}

TEST_CASE("an alias stands for what its anchor holds") {
  const Loaded loaded = load_text(
      "listeners:\n"
      "  - {name: a, bind: ':1', timeouts: &t {idle: 20s}, default_actions: &d [fixed_response: {body: &b hello}]}\n"
      "  - {name: b, bind: ':2', timeouts: *t, default_actions: *d}\n"
      "  - {name: c, bind: ':3', default_actions: [fixed_response: {body: *b}]}\n");
  INFO(printed(loaded.diagnostics));
  REQUIRE(loaded.diagnostics.ok());
  CHECK(*loaded.config.listeners[1].timeouts.idle == std::chrono::seconds(20));
  CHECK(*loaded.config.listeners[1].default_actions[0].fixed_response.body == "hello");
  CHECK(*loaded.config.listeners[2].default_actions[0].fixed_response.body == "hello");
}

TEST_CASE("a byte order mark and CRLF line ends do no harm") {
  std::string text = "\xef\xbb\xbf# \xc3\xbc\n" + with_listener("half_close: true\nencoded_slash: 'pass'");
  for (std::size_t i = 0; (i = text.find('\n', i)) != std::string::npos; i += 2) text.insert(i, "\r");
  const Loaded loaded = load_text(text);
  INFO(printed(loaded.diagnostics));
  CHECK(loaded.diagnostics.ok());
  CHECK(loaded.config.listeners[0].half_close);
}

}  // namespace albatross::config::test
