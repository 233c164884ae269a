// Output against a plain string: whatever is borrowed, reserved, appended, owned and consumed comes out once and in
// order.
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <deque>
#include <string>

#include "base/siphash.h"
#include "http/output.h"

namespace albatross::http_test {
namespace {

std::string front(const Output& out) {
  iovec parts[64];
  int n = out.peek(parts, 64);
  std::string all;
  for (int i = 0; i < n; ++i) all.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
  return all;
}

void put_reserved(Output& out, std::string_view text, std::size_t room) {
  char* p = out.reserve(room);
  std::memcpy(p, text.data(), text.size());
  out.commit(text.size());
}

}  // namespace

TEST_CASE("an output hands back borrowed bytes as they lie") {
  BlockPool pool;
  OutputScratch scratch;
  Output out(pool, scratch);
  CHECK(out.empty());
  std::string body = "body";
  put_reserved(out, "head", 100);
  out.borrow(body);
  out.borrow({});
  CHECK(out.size() == 8);
  CHECK(out.has_borrowed());
  CHECK(pool.outstanding() == 0);
  iovec parts[4];
  REQUIRE(out.peek(parts, 4) == 2);
  CHECK(parts[1].iov_base == body.data());
  out.own_all();
  CHECK_FALSE(out.has_borrowed());
  body = "gone";
  CHECK(front(out) == "headbody");
  CHECK(out.size() == 8);
  out.consume(8);
  CHECK(out.empty());
  CHECK(pool.outstanding() == 0);
}

TEST_CASE("heads that follow each other in the scratch are one piece") {
  BlockPool pool;
  OutputScratch scratch;
  Output out(pool, scratch);
  put_reserved(out, "one", 1000);
  put_reserved(out, "two", 1000);
  iovec parts[4];
  CHECK(out.peek(parts, 4) == 1);
  CHECK(front(out) == "onetwo");
  put_reserved(out, "", 10);
  CHECK(out.size() == 6);
}

TEST_CASE("more pieces than fit are owned") {
  BlockPool pool;
  OutputScratch scratch;
  Output out(pool, scratch);
  std::deque<std::string> bodies;
  std::string all;
  for (int i = 0; i < 30; ++i) {
    bodies.push_back(std::to_string(i));
    out.borrow(bodies.back());
    all += bodies.back();
  }
  CHECK(front(out) == all);
  CHECK(out.size() == all.size());
  out.clear();
  CHECK(out.empty());
  CHECK(out.size() == 0);
  CHECK(pool.outstanding() == 0);
}

TEST_CASE("a reservation that the scratch has no room for still comes out") {
  BlockPool pool;
  OutputScratch scratch;
  Output out(pool, scratch);
  std::string large(OutputScratch::kSize + 5, 'x');
  put_reserved(out, "small", 10);
  put_reserved(out, large, large.size());
  put_reserved(out, "end", 10);
  CHECK(out.size() == large.size() + 8);
  CHECK(front(out) == "small" + large + "end");
}

TEST_CASE("two outputs share a scratch") {
  BlockPool pool;
  OutputScratch scratch;
  Output a(pool, scratch), b(pool, scratch);
  put_reserved(a, "a1", 50);
  put_reserved(b, "b1", 50);
  put_reserved(a, "a2", 50);
  CHECK(front(a) == "a1a2");
  CHECK(front(b) == "b1");
}

TEST_CASE("random use of an output agrees with a string") {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    BlockPool pool;
    OutputScratch scratch;
    Output out(pool, scratch);
    std::string model;
    std::deque<std::string> lent;
    auto text = [&] {
      std::uint64_t size = random.below(20) == 0 ? random.below(40'000) : random.below(200);
      std::string s(size, ' ');
      for (char& c : s) c = static_cast<char>('a' + random.below(26));
      return s;
    };
    for (int step = 0; step < 60; ++step) {
      switch (random.below(6)) {
        case 0:
        case 1:
          lent.push_back(text());
          out.borrow(lent.back());
          model += lent.back();
          break;
        case 2: {
          std::string s = text();
          put_reserved(out, s, s.size() + random.below(300));
          model += s;
          break;
        }
        case 3: {
          std::string s = text();
          out.append(s);
          model += s;
          break;
        }
        case 4: {
          std::size_t n = static_cast<std::size_t>(random.below(model.size() + 1));
          out.consume(n);
          model.erase(0, n);
          break;
        }
        default:  // what a settle does
          out.own_all();
          for (std::string& s : lent) s.assign(s.size(), '!');
          lent.clear();
          scratch.clear();
      }
      REQUIRE(out.size() == model.size());
      REQUIRE(out.empty() == model.empty());
      REQUIRE(front(out) == model);
    }
    out.clear();
    REQUIRE(pool.outstanding() == 0);
  }
}

}  // namespace albatross::http_test
