#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "sample.h"

namespace albatross::config::test {

TEST_CASE("a diagnostic prints its line and a caret") {
  Diagnostics out("albatross.yaml", "a: b\n    protocl: http\n\tt: ü x\n");
  out.warning({3, 8}, "t", "odd");
  out.error({2, 5}, "listeners[0].protocl", "unknown key", "did you mean \"protocol\"?");
  out.error({}, {}, "cannot be loaded: why");
  CHECK(printed(out) ==
        "albatross.yaml: error: cannot be loaded: why\n"
        "albatross.yaml:2:5: error: listeners[0].protocl: unknown key, did you mean \"protocol\"?\n"
        "    2 |     protocl: http\n"
        "      |     ^\n"
        "albatross.yaml:3:8: warning: t: odd\n"
        "    3 | \tt: ü x\n"
        "      | \t     ^\n");
  CHECK(out.errors() == 2);
  CHECK_FALSE(out.ok());
}

TEST_CASE("a warning alone is ok") {
  Diagnostics out("f", "");
  out.warning({1, 1}, "a", "odd");
  CHECK(out.ok());
}

TEST_CASE("nothing in a file reaches the terminal raw") {
  Diagnostics out("f", "a\x1b[2J\n");
  out.error({1, 2}, "k\x1b", "message\n", "\x7f");
  const std::string text = printed(out);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("k\\x1b: message\\x0a, \\x7f") != std::string::npos);
}

TEST_CASE("a long line is shown around its caret") {
  const std::string line = std::string(5000, 'a') + "X" + std::string(5000, 'b');
  Diagnostics out("f", line);
  out.error({1, 5001}, "", "here");
  const std::string text = printed(out);
  CHECK(text.size() < 500);
  const std::size_t second = text.find('\n') + 1;
  const std::size_t third = text.find('\n', second) + 1;
  CHECK(text[second + text.find('^') - third] == 'X');
}

TEST_CASE("a place outside the source is no harm") {
  Diagnostics out("f", "a\n");
  out.error({9, 9}, "", "x");
  out.error({1, 900}, "", "y");
  CHECK_FALSE(printed(out).empty());
}

TEST_CASE("diagnostics are JSON too") {
  Diagnostics out("f", "a\n");
  out.error({2, 3}, "p", "m\xff", "h");
  out.warning({1, 1}, "q", "n");
  const auto json = nlohmann::json::parse(out.to_json());
  REQUIRE(json.size() == 2);
  CHECK(json[0]["severity"] == "warning");
  CHECK(json[1]["severity"] == "error");
  CHECK(json[1]["file"] == "f");
  CHECK(json[1]["line"] == 2);
  CHECK(json[1]["column"] == 3);
  CHECK(json[1]["path"] == "p");
  CHECK(json[1]["hint"] == "h");
}

TEST_CASE("errors beyond a thousand are counted") {
  Diagnostics out("f", "a\n");
  for (int i = 0; i < 1500; ++i) out.error({1, 1}, "", "x");
  CHECK(out.all().size() == 1000);
  CHECK(out.errors() == 1500);
  CHECK(printed(out).find("500 more errors are not shown") != std::string::npos);
}

TEST_CASE("the nearest name is one that may be meant") {
  const std::vector<std::string> names = {"health_check", "protocol", "path", "blue", "bluegreen"};
  CHECK(nearest("healthCheck", names) == "health_check");
  CHECK(nearest("helth-check", names) == "health_check");
  CHECK(nearest("protcool", names) == "protocol");
  CHECK(nearest("pth", names) == "path");
  CHECK(nearest("bleu", names) == "blue");
  CHECK(nearest("x", names).empty());
  CHECK(nearest("certificates", names).empty());
  CHECK(nearest("", names).empty());
  CHECK(nearest(std::string(100000, 'a'), names).empty());

  CHECK(nearest("bleugreen", names, 2) == std::vector<std::string>{"bluegreen", "blue"});
  CHECK(nearest(std::string(100000, 'a'), names, 9).size() == names.size());
}

}  // namespace albatross::config::test
