#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "base/siphash.h"
#include "http/head.h"

namespace albatross::http_test {
namespace {

std::string shown(const Fields& fields) {
  std::string out;
  for (const Field& f : fields) {
    if (!f.removed) out += std::string(f.name()) + "=" + std::string(f.value()) + ";";
  }
  return out;
}

}  // namespace

TEST_CASE("fields keep their order and their spelling") {
  Arena arena;
  Fields f(arena);
  f.add("X-A", "1");
  f.add("Host", "h");
  f.add("x-a", "2");
  CHECK(shown(f) == "X-A=1;Host=h;x-a=2;");
  CHECK(f.find("X-a")->value() == "1");
  CHECK(f.find(HeaderId::kHost)->value() == "h");
  CHECK(f.value(HeaderId::kHost) == "h");
  CHECK(f.value(HeaderId::kCookie).empty());
  CHECK(f.find("y") == nullptr);
}

TEST_CASE("removing takes every row of a name and leaves the others") {
  Arena arena;
  Fields f(arena);
  for (const char* name : {"Cookie", "X", "COOKIE", "y", "x"}) f.add(name, "v");
  CHECK(f.count(HeaderId::kCookie) == 2);
  CHECK(f.remove(HeaderId::kCookie) == 2);
  CHECK(f.remove(HeaderId::kCookie) == 0);
  CHECK(f.count(HeaderId::kCookie) == 0);
  CHECK(f.remove("X") == 2);
  CHECK(f.remove("X") == 0);
  CHECK(shown(f) == "y=v;");
  CHECK(f.find("x") == nullptr);
  f.add("cookie", "again");
  CHECK(f.value(HeaderId::kCookie) == "again");
  CHECK(f.count(HeaderId::kCookie) == 1);
}

TEST_CASE("setting replaces every row by one at the end") {
  Arena arena;
  Fields f(arena);
  for (const char* name : {"Host", "X", "x", "host"}) f.add(name, "old");
  f.set("x", "new");
  f.set(HeaderId::kHost, "Host", "new");
  f.set("fresh", "new");
  CHECK(shown(f) == "x=new;Host=new;fresh=new;");
}

TEST_CASE("rows may be many and views stay good") {
  Arena arena;
  Fields f(arena);
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("n" + std::to_string(i));
  const Field* first = nullptr;
  for (const std::string& n : names) {
    f.add(n, n);
    if (first == nullptr) first = f.find(n);
  }
  CHECK(first->value() == "n0");
  CHECK(f.size() == 500);
  for (const std::string& n : names) REQUIRE(f.find(n)->value() == n);
}

TEST_CASE("adopted rows move with their bytes and can be added to") {
  Arena arena;
  std::string from = "hostacookieb", to = from;
  Field rows[2] = {{from.data(), from.data() + 4, 1, 4, HeaderId::kHost, false},
                   {from.data() + 5, from.data() + 11, 1, 6, HeaderId::kCookie, true}};
  Fields f(arena);
  f.adopt(rows, 2, to.data() - from.data());
  CHECK(shown(f) == "host=a;");
  CHECK(f.find(HeaderId::kHost)->value_data == to.data() + 4);
  CHECK(f.find(HeaderId::kCookie) == nullptr);  // adopted as removed
  for (int i = 0; i < 100; ++i) f.add("x", "y");
  CHECK(f.size() == 102);
  CHECK(f.value(HeaderId::kHost) == "a");
}

TEST_CASE("random edits agree with a plain list") {
  Random random(7);
  const char* names[] = {"Host", "cookie", "X-A", "x-a", "X-B", "Via", "TE", "date"};
  for (int round = 0; round < 200; ++round) {
    Arena arena;
    Fields f(arena);
    std::vector<std::pair<std::string, std::string>> model;
    auto erase = [&](std::string_view name) {
      return static_cast<int>(std::erase_if(model, [&](auto& p) { return equals_ignore_case(p.first, name); }));
    };
    for (int step = 0; step < 60; ++step) {
      const char* name = names[random.below(8)];
      std::string_view value = arena.copy(std::to_string(step));
      switch (random.below(4)) {
        case 0: REQUIRE(f.remove(name) == erase(name)); break;
        case 1:
          f.set(name, value);
          erase(name);
          model.emplace_back(name, value);
          break;
        default: f.add(name, value); model.emplace_back(name, value);
      }
      std::string expected;
      for (auto& [n, v] : model) expected += n + "=" + v + ";";
      REQUIRE(shown(f) == expected);
    }
  }
}

TEST_CASE("methods are known by their exact spelling") {
  CHECK(method_of("GET") == Method::kGet);
  CHECK(method_of("HEAD") == Method::kHead);
  CHECK(method_of("POST") == Method::kPost);
  CHECK(method_of("PUT") == Method::kPut);
  CHECK(method_of("DELETE") == Method::kDelete);
  CHECK(method_of("CONNECT") == Method::kConnect);
  CHECK(method_of("OPTIONS") == Method::kOptions);
  CHECK(method_of("TRACE") == Method::kTrace);
  CHECK(method_of("PATCH") == Method::kPatch);
  for (const char* other : {"", "get", "Get", "GETX", "GE", "POSTS", "OPTION", "PURGE"})
    CHECK(method_of(other) == Method::kOther);
  for (Method m : {Method::kGet, Method::kHead, Method::kPut, Method::kDelete, Method::kOptions, Method::kTrace})
    CHECK(is_idempotent(m));
  for (Method m : {Method::kPost, Method::kPatch, Method::kConnect, Method::kOther}) CHECK_FALSE(is_idempotent(m));
}

TEST_CASE("many lines of one name are joined once, not line by line") {
  Arena arena(1024);
  Fields fields(arena);
  const std::string line(320, 'x');
  for (int i = 0; i < 88; ++i) fields.add(HeaderId::kXForwardedFor, "X-Forwarded-For", line);
  const std::size_t before = arena.footprint();
  CHECK(fields.joined(HeaderId::kXForwardedFor).size() == 88 * 320 + 87 * 2);
  CHECK(arena.footprint() - before < 2 * 88 * 322);
  fields.set(HeaderId::kXForwardedFor, "X-Forwarded-For", "a");
  CHECK(fields.joined(HeaderId::kXForwardedFor) == "a");
  fields.remove(HeaderId::kXForwardedFor);
  CHECK(fields.joined(HeaderId::kXForwardedFor).empty());
}

}  // namespace albatross::http_test
