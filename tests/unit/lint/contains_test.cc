// What the lints say of conditions holds for every request: there is never a false alarm.
#include "lint/contains.h"

#include <memory>
#include <random>

#include "routing/rules/account.h"
#include "tests/support/catch.h"
#include "tests/unit/routing/routing_support.h"

using namespace albatross;
using namespace albatross::test;

namespace {

class Chance {
 public:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(engine_); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  // A word of up to `most` letters of `alphabet`.
  std::string word(std::string_view alphabet, std::size_t most) {
    std::string out;
    for (std::size_t n = below(most + 1); n > 0; --n) out += alphabet[below(alphabet.size())];
    return out;
  }

 private:
  std::mt19937 engine_{20'261'127};
};

config::Pattern random_pattern(Chance& chance, const std::string& front, std::string_view alphabet) {
  config::Pattern p;
  switch (chance.below(
      alphabet.find('/') == std::string_view::npos && alphabet.find('.') == std::string_view::npos ? 6 : 5)) {
    case 5:
      p = range(static_cast<std::int64_t>(chance.below(5)), 3 + static_cast<std::int64_t>(chance.below(5)));
      break;
    case 0: p = prefix(front + chance.word(alphabet, 3)); break;
    case 1: p = wildcard(front + chance.word(alphabet, 2) + "*"); break;
    case 2: p = wildcard("*" + chance.word(alphabet, 3)); break;
    case 3: p = regex("^[" + chance.word("abAB", 2) + "a/.]+$"); break;
    default: p = exact(front + chance.word(alphabet, 3)); break;
  }
  p.ignore_case = chance.one_in(3);
  return p;
}

Patterns random_patterns(Chance& chance, const std::string& front, std::string_view alphabet) {
  Patterns out;
  for (std::size_t n = 1 + chance.below(2); n > 0; --n) out.push_back(random_pattern(chance, front, alphabet));
  return out;
}

config::Condition random_condition(Chance& chance, std::size_t kind) {
  if (chance.one_in(5)) return negate(random_condition(chance, kind));
  if (chance.one_in(6)) {
    return group(chance.one_in(2) ? Kind::kAll : Kind::kAny,
                 {random_condition(chance, kind), random_condition(chance, kind)});
  }
  switch (kind) {
    case 0: return host(random_patterns(chance, "", "ab."));
    case 1: return path(random_patterns(chance, "/", "aB/"));
    case 2:
      return chance.one_in(3) ? items("x", random_patterns(chance, "", "aBc"))
                              : header("x", random_patterns(chance, "", "aBc"));
    case 3: return cookie("x", random_patterns(chance, "", "aBc"));
    case 4: return query("x", random_patterns(chance, "", "aBc"));
    default: {
      const std::string net = std::to_string(chance.below(2)) + "." + std::to_string(chance.below(2)) + ".0.0/";
      return source_ip({net + std::to_string(chance.below(4) * 8)});
    }
  }
}

// Texts at random, so that short ones, which most patterns are about, come often.
void make_request(Chance& chance, Request& r) {
  r.host(chance.word("abA.", 4)).path("/" + chance.word("abB/", 4)).query("x=" + chance.word("abBc25", 3));
  r.from(std::to_string(chance.below(3)) + "." + std::to_string(chance.below(3)) + ".0.1");
  for (std::size_t n = chance.below(3); n > 0; --n)
    r.field("X", chance.one_in(3) ? std::to_string(chance.below(8)) : chance.word("abBc,", 4));
  r.field("Cookie", "x=" + chance.word("abBc", 3) + "; y=a; x=" + chance.word("aB", 2));
}

}  // namespace

TEST_CASE("a condition that is said to imply another, or to exclude it, does") {
  Chance chance;
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 300; ++i) make_request(chance, *requests.emplace_back(std::make_unique<Request>()));
  std::size_t implied = 0, excluded = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t kind = chance.below(6);
    const config::Condition a = random_condition(chance, kind), b = random_condition(chance, kind);
    const bool in = implies(a, b), apart = exclude_each_other(a, b);
    implied += in;
    excluded += apart;
    if (!in && !apart) continue;
    for (const auto& r : requests) {
      const bool meets_a = matches(a, r->get()), meets_b = matches(b, r->get());
      const bool wrong = (in && meets_a && !meets_b) || (apart && meets_a && meets_b);
      if (!wrong) continue;
      FAIL("kind " << kind << (in ? " implies: " : " excludes: ") << to_text(a) << " | " << to_text(b) << " | host "
                   << r->get().host << " path " << r->get().path << " query " << r->get().query);
    }
  }
  CHECK(implied > 300);
  CHECK(excluded > 300);
}
