// The path normaliser, and authorities.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "http/uri.h"

namespace albatross::http_test {
namespace {

struct Normal {
  bool ok;
  std::string path;
};

Normal normal(std::string_view path, EncodedSlash slashes = EncodedSlash::kReject) {
  Arena arena;
  std::string_view out;
  Refusal why = normalise_path(path, slashes, arena, out);
  return {why.cause == Cause::kNone, std::string(why.cause == Cause::kNone ? out : "")};
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void check_properties(std::string_view from, EncodedSlash slashes) {
  Normal once = normal(from, slashes);
  if (!once.ok) return;
  CAPTURE(from, once.path);
  Normal twice = normal(once.path, slashes);
  REQUIRE(twice.ok);
  REQUIRE(twice.path == once.path);
  REQUIRE(once.path.size() <= from.size());
  REQUIRE(once.path[0] == '/');
  std::string framed = once.path + "/";
  for (const char* dots : {"/./", "/../", "/.;", "/..;"}) REQUIRE(framed.find(dots) == std::string::npos);
  for (std::size_t i = 0; i + 2 < once.path.size(); ++i) {
    if (once.path[i] != '%') continue;
    int v = std::stoi(once.path.substr(i + 1, 2), nullptr, 16);
    REQUIRE_FALSE((v < 0x80 && unreserved(static_cast<char>(v))));
    REQUIRE_FALSE((once.path[i + 1] >= 'a' || once.path[i + 2] >= 'a'));
  }
}

}  // namespace

TEST_CASE("paths are normalised") {
  for (auto [from, to] : {std::pair<const char*, const char*>{"/", "/"},
                          {"/a", "/a"},
                          {"/a/", "/a/"},
                          {"//", "//"},
                          {"/a//b", "/a//b"},
                          {"///", "///"},
                          {"/.", "/"},
                          {"/..", "/"},
                          {"/./", "/"},
                          {"/../", "/"},
                          {"/a/.", "/a/"},
                          {"/a/..", "/"},
                          {"/a/./b", "/a/b"},
                          {"/a/../b", "/b"},
                          {"/a/b/..", "/a/"},
                          {"/a/b/../", "/a/"},
                          {"/../../a", "/a"},
                          {"/a/../../b", "/b"},
                          {"/a//../b", "/a/b"},
                          {"//../a", "/a"},
                          {"/a/b/../../../c", "/c"},
                          {"/...", "/..."},
                          {"/.a", "/.a"},
                          {"/..a", "/..a"},
                          {"/a..", "/a.."},
                          {"/a./b", "/a./b"},
                          {"/.../x", "/.../x"},
                          {"/%41", "/A"},
                          {"/%7e", "/~"},
                          {"/%2e", "/"},
                          {"/%2E%2e/a", "/a"},
                          {"/a/%2e%2e/b", "/b"},
                          {"/.%2e/x", "/x"},
                          {"/%2e./x", "/x"},
                          {"/%2d%5F", "/-_"},
                          {"/%30", "/0"},
                          {"/%c3%a9", "/%C3%A9"},
                          {"/%20", "/%20"},
                          {"/%3f", "/%3F"},
                          {"/%23", "/%23"},
                          {"/%25", "/%25"},
                          {"/%252e%252e", "/%252e%252e"},
                          {"/%2541", "/%2541"},
                          {"/%3b", "/%3B"},
                          {"/a;b", "/a;b"},
                          {"/a;b/../c", "/c"},
                          {"/%0a", "/%0A"},
                          {"/%7f", "/%7F"},
                          {"/a!$&'()*+,;=:@", "/a!$&'()*+,;=:@"},
                          {"/%21", "/%21"},
                          {"/.;a/..b", nullptr},
                          {"/a/..;/b", nullptr},
                          {"/..;x=y", nullptr},
                          {"/%2e%2e;/b", nullptr},
                          {"/%2e;", nullptr},
                          {"/.a;b", "/.a;b"},
                          {"/...;x", "/...;x"}}) {
    CAPTURE(from);
    Normal n = normal(from);
    CHECK(n.ok == (to != nullptr));
    if (to != nullptr) CHECK(n.path == to);
  }
}

TEST_CASE("bad escapes and encoded separators are refused") {
  for (const char* path : {"/%", "/%2", "/%g0", "/%0g", "/a%", "/a%4", "/%%41", "/% 41", "/%-1", "/%2f", "/%2F",
                           "/a%2fb", "/%5c", "/%5C", "/%00", "/\\", "/a\\b", "/..%2f", "/..\\x"}) {
    CAPTURE(path);
    CHECK_FALSE(normal(path).ok);
  }
}

TEST_CASE("encoded slashes pass where they are wanted, bad escapes do not") {
  for (auto [from, to] : {std::pair<const char*, const char*>{"/a%2fb", "/a%2Fb"},
                          {"/%5cx", "/%5Cx"},
                          {"/%00", "/%00"},
                          {"/a\\b", "/a\\b"},
                          {"/a/%2f/../b", "/a/b"}}) {
    CHECK(normal(from, EncodedSlash::kPass).path == to);
  }
  CHECK_FALSE(normal("/%", EncodedSlash::kPass).ok);
  CHECK_FALSE(normal("/..;", EncodedSlash::kPass).ok);
}

TEST_CASE("a normal path is handed back as it lies") {
  Arena arena;
  std::string path = "/a/b//c.d/x;y";
  std::string_view out;
  CHECK(normalise_path(path, EncodedSlash::kReject, arena, out).cause == Cause::kNone);
  CHECK(out.data() == path.data());
  CHECK(arena.footprint() == 0);
}

TEST_CASE("normalised paths stay as they are, are no longer, and have no dots or needless escapes") {
  const char* pieces[] = {"/",   "/",   "/",   ".",   "..", "%2e", "%2E", "a", "b", ";",   "%41",
                          "%7E", "%c3", "%2F", "%25", "%",  "\\",  "%5c", "=", "0", "%00", "%3b"};
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string path = "/";
    for (std::uint64_t n = random.below(12); n > 0; --n) path += pieces[random.below(std::size(pieces))];
    check_properties(path, EncodedSlash::kReject);
    check_properties(path, EncodedSlash::kPass);
  }
  // Every short path of the letters that matter.
  for (int length = 0, all = 1; length <= 6; ++length, all *= 4) {
    for (int n = 0; n < all; ++n) {
      std::string path = "/";
      for (int k = 0, rest = n; k < length; ++k, rest /= 4) path += "/.;a"[rest % 4];
      check_properties(path, EncodedSlash::kReject);
    }
  }
}

TEST_CASE("authorities are a host and maybe a port") {
  for (const char* good :
       {"a", "A", "a.b", "a.b.", "a-b_c~d", "1.2.3.4", "1.2.3.4:80", "a:0", "a:1", "a:65535", "a:00080", "[::1]",
        "[::]:443", "[2001:db8::1]", "[::ffff:1.2.3.4]:80", "xn--bcher-kva.example", "a%41", "a!$&'()*+,;=b"}) {
    CAPTURE(good);
    CHECK(valid_authority(good));
  }
  for (const char* bad : {"",      ":80", "a:65536", "a:99999", "a:100000",  "a:x",  "a: 80",      "a:80 ",  " a",
                          "a ",    "a b", "u@a",     "u:p@a",   "a/b",       "a?b",  "a#b",        "a\\b",   "[::1",
                          "::1",   "[]",  "[::1]80", "[::1]:x", "[1.2.3.4]", "[a]",  "[::1%eth0]", "[::1]]", "[[::1]]",
                          "a:1:2", "a%",  "a%4",     "a%zz",    "a%00",      "a%0a", "a%20",       "a%7f",   "a\"b",
                          "a<b",   "a>b", "a^b",     "a`b",     "a{b",       "a|b",  "a}b",        "\x80",   "a\x01"}) {
    CAPTURE(bad);
    CHECK_FALSE(valid_authority(bad));
  }
  CHECK(valid_authority(std::string(255, 'a')));
  CHECK_FALSE(valid_authority(std::string(256, 'a')));
}

TEST_CASE("an authority splits into host and port") {
  for (auto [text, host, port] : {std::tuple<const char*, const char*, const char*>{"a", "a", ""},
                                  {"a:80", "a", "80"},
                                  {"a.:8", "a.", "8"},
                                  {"[::1]", "[::1]", ""},
                                  {"[::1]:443", "[::1]", "443"},
                                  {"", "", ""},
                                  {"a:", "a", ""}}) {
    CHECK(host_of(text) == host);
    CHECK(port_of(text) == port);
  }
}

}  // namespace albatross::http_test
