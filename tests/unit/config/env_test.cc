#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "config/env.h"
#include "sample.h"

namespace albatross::config::test {

TEST_CASE("variables of the environment are expanded, and nothing else") {
  setenv("ALBATROSS_A", "one", 1);
  setenv("ALBATROSS_EMPTY", "", 1);
  setenv("ALBATROSS_NESTED", "${env:ALBATROSS_A}", 1);
  unsetenv("ALBATROSS_NONE");
  const auto expand = [](const std::string& text) { return expand_env(text, false).text; };
  CHECK(expand("${env:ALBATROSS_A}") == "one");
  CHECK(expand("a${env:ALBATROSS_A}b${env:ALBATROSS_A}") == "aonebone");
  CHECK(expand("${env:ALBATROSS_NONE:-x:-y}") == "x:-y");
  CHECK(expand("${env:ALBATROSS_NONE:-}").empty());
  CHECK(expand("${env:ALBATROSS_EMPTY}").empty());
  CHECK(expand("${env:ALBATROSS_EMPTY:-x}") == "x");
  CHECK(expand("${env:ALBATROSS_NESTED}") == "${env:ALBATROSS_A}");
  CHECK(expand("${host} ${1} ${header:x} $ $$ {x}") == "${host} ${1} ${header:x} $ $$ {x}");
  CHECK(expand("$${env:ALBATROSS_A} $${host}") == "${env:ALBATROSS_A} ${host}");
  CHECK(expand_env("$${host} ${env:ALBATROSS_A}", true).text == "$${host} one");
  CHECK(expand_env("${env:ALBATROSS_NONE}", false).error == "environment variable ALBATROSS_NONE is not set");
  CHECK(expand_env("${env:ALBATROSS_A", false).error == "${env: is not closed");
  CHECK(expand_env("${env:1 x}", false).error.find("not the name") != std::string::npos);
}

TEST_CASE("any scalar of the file may come from the environment") {
  setenv("ALBATROSS_PORT", "8081", 1);
  setenv("ALBATROSS_TRUE", "true", 1);
  const std::string text = R"({"listeners": [{"name": "web", "bind": ":${env:ALBATROSS_PORT}",
    "half_close": "${env:ALBATROSS_TRUE}", "limits": {"fields": "${env:ALBATROSS_NONE:-50}"},
    "default_actions": [{"insert_header": {"name": "a", "value": "$${x} ${host} ${env:ALBATROSS_PORT}"}},
                        {"fixed_response": {"content_type": "a/$${x}", "body": "$${x}\n${host}"}}]}],
    "workers": "${env:ALBATROSS_NONE:-auto}"})";
  const Loaded loaded = load_text(text, Format::kJson);
  INFO(printed(loaded.diagnostics));
  REQUIRE(loaded.diagnostics.ok());
  const Listener& listener = loaded.config.listeners[0];
  CHECK(listener.bind.port == 8081);
  CHECK(listener.half_close);
  CHECK(*listener.limits.fields == 50);
  CHECK(*listener.default_actions[0].header.value == "$${x} ${host} 8081");  // the template compiler reads $${
  CHECK(*listener.default_actions[1].fixed_response.content_type == "a/${x}");
  CHECK(*listener.default_actions[1].fixed_response.body == "${x}\n${host}");
  CHECK(loaded.config.workers == 0);
}

TEST_CASE("a variable that is not set is named at its place") {
  unsetenv("ALBATROSS_NONE");
  const Loaded loaded = load_text(with_listener("half_close: ${env:ALBATROSS_NONE}"));
  REQUIRE(loaded.diagnostics.all().size() == 1);
  CHECK(loaded.diagnostics.all()[0].message == "environment variable ALBATROSS_NONE is not set");
  CHECK(loaded.diagnostics.all()[0].at.line == 6);
  CHECK(loaded.diagnostics.all()[0].path == "listeners[0].half_close");
}

}  // namespace albatross::config::test
