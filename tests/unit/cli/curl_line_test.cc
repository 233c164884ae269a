#include "cli/curl_line.h"

#include <sstream>

#include "tests/support/catch.h"

using namespace albatross;
using cli::parse_curl;

namespace {

std::string described(const std::vector<std::string>& words) {
  const cli::CurlLine line = parse_curl(words);
  if (!line.error.empty()) return "error: " + line.error;
  std::string out = line.request.method + " " + line.request.url;
  for (const auto& [name, value] : line.request.headers) {
    if (name != "User-Agent" && name != "Accept") out += " | " + name + ": " + value;
  }
  for (const std::string& option : line.ignored) out += " ! " + option;
  return out;
}

}  // namespace

TEST_CASE("a command line of curl becomes a request") {
  CHECK(described({"https://a.example/x?y"}) == "GET https://a.example/x?y");
  CHECK(described({"a.example"}) == "GET http://a.example");
  CHECK(described({"-H", "Cookie: a=b", "-HX-A:1", "http://a/"}) == "GET http://a/ | Cookie: a=b | X-A: 1");
  CHECK(described({"-X", "DELETE", "http://a/"}) == "DELETE http://a/");
  CHECK(described({"-XPUT", "http://a/"}) == "PUT http://a/");
  CHECK(described({"-I", "http://a/"}) == "HEAD http://a/");
  CHECK(described({"-d", "a=1", "--data-raw", "b=2", "http://a/"}) ==
        "POST http://a/ | Content-Type: application/x-www-form-urlencoded");
  CHECK(described({"--json", "{}", "http://a/"}) == "POST http://a/ | Content-Type: application/json");
  CHECK(described({"-G", "-d", "a=1", "http://a/x?y"}) == "GET http://a/x?y&a=1");
  CHECK(described({"-b", "k=v", "-u", "me:secret", "-e", "http://r/", "http://a/"}) ==
        "GET http://a/ | Cookie: k=v | Authorization: Basic bWU6c2VjcmV0 | Referer: http://r/");
  CHECK(described({"-u", "a:b", "http://a/"}) == "GET http://a/ | Authorization: Basic YTpi");
  CHECK(described({"-u", "a:bc", "http://a/"}) == "GET http://a/ | Authorization: Basic YTpiYw==");
  CHECK(described({"-H", "X-Empty;", "-H", "Accept-Encoding:", "http://a/"}) ==
        "GET http://a/ | X-Empty:  ! -H Accept-Encoding:");
}

TEST_CASE("options of curl that say nothing about routing are ignored, and said") {
  CHECK(described({"-sSkv", "--max-time", "5", "-o/dev/null", "http://a/", "--http2"}) ==
        "GET http://a/ ! -s ! -S ! -k ! -v ! --max-time 5 ! -o /dev/null ! --http2");
  CHECK(described({"-sSH", "X: 1", "http://a/"}) == "GET http://a/ | X: 1 ! -s ! -S");
  CHECK(described({"-b", "cookies.txt", "http://a/", "http://b/"}) == "GET http://a/ ! -b cookies.txt ! http://b/");
}

TEST_CASE("a line of curl that is none says why") {
  CHECK(described({"-s"}) == "error: the curl line has no URL");
  CHECK(described({"http://a/", "-H"}) == "error: curl's -H has no value");
  CHECK(described({"--frobnicate", "http://a/"}).starts_with("error: curl's option --frobnicate is not known here"));
}
