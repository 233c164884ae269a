#include "base/buffer.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/siphash.h"

namespace albatross::base_test {
namespace {

std::string front(const Buffer& b, int max = 1000) {
  iovec parts[1000];
  std::string out;
  int n = b.peek(parts, max);
  for (int i = 0; i < n; ++i) {
    CHECK(parts[i].iov_len > 0);
    out.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return out;
}

std::string numbered(std::size_t n) {
  std::string out;
  for (std::size_t i = 0; out.size() < n; ++i) out += std::to_string(i) + ",";
  return out.substr(0, n);
}

}  // namespace

TEST_CASE("bytes come out of a buffer in order over any number of blocks") {
  BlockPool pool;
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, Block::kSize - 1, Block::kSize, Block::kSize + 1,
                           5 * Block::kSize, 5 * Block::kSize + 7}) {
    CAPTURE(size);
    Buffer b(pool);
    std::string text = numbered(size);
    b.append(text);
    CHECK(b.size() == size);
    CHECK(b.empty() == (size == 0));
    CHECK(front(b) == text);
    CHECK(pool.outstanding() == (size + Block::kSize - 1) / Block::kSize);
    b.consume(size / 2);
    CHECK(front(b) == text.substr(size / 2));
    b.consume(size - size / 2);
    CHECK(b.empty());
    CHECK(pool.outstanding() == 0);
  }
}

TEST_CASE("a buffer shows at most as many views as asked for") {
  BlockPool pool;
  Buffer b(pool);
  std::string text = numbered(3 * Block::kSize);
  b.append(text);
  CHECK(front(b, 0).empty());
  CHECK(front(b, 2) == text.substr(0, 2 * Block::kSize));
}

TEST_CASE("blocks go back to the pool as they empty") {
  BlockPool pool;
  {
    Buffer b(pool);
    b.append(numbered(4 * Block::kSize));
    CHECK(pool.outstanding() == 4);
    b.consume(Block::kSize - 1);
    CHECK(pool.outstanding() == 4);
    b.consume(1);
    CHECK(pool.outstanding() == 3);
    b.clear();
    CHECK(pool.outstanding() == 0);
    CHECK(b.size() == 0);
    b.append("again");
    CHECK(front(b) == "again");
  }
  CHECK(pool.outstanding() == 0);
}

TEST_CASE("a pool hands out what was given back, and keeps a bounded number") {
  BlockPool pool(2);
  Block* blocks[3] = {pool.take(), pool.take(), pool.take()};
  CHECK(pool.outstanding() == 3);
  for (Block* b : blocks) pool.give(b);
  CHECK(pool.outstanding() == 0);
  Block* again = pool.take();
  CHECK((again == blocks[0] || again == blocks[1]));
  CHECK(again->begin == 0);
  CHECK(again->end == 0);
  pool.give(again);
}

TEST_CASE("random appends and consumes agree with a string") {
  BlockPool pool;
  Random random(9);
  Buffer b(pool);
  std::string model;
  for (int i = 0; i < 3000; ++i) {
    if (random.below(2) == 0 && model.size() < 200'000) {
      std::string text = numbered(random.below(random.below(10) == 0 ? 50'000 : 500));
      b.append(text);
      model += text;
    } else {
      std::size_t n = random.below(std::min<std::size_t>(model.size(), 30'000) + 1);
      b.consume(n);
      model.erase(0, n);
    }
    REQUIRE(b.size() == model.size());
    if (i % 10 == 0) REQUIRE(front(b) == model);
    REQUIRE(pool.outstanding() <= model.size() / Block::kSize + 2);
  }
}

}  // namespace albatross::base_test
