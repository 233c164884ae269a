#include "base/intrusive_list.h"

#include <catch2/catch_test_macros.hpp>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace albatross::base_test {
namespace {

struct Waiting;

struct Item : ListHook<Item>, ListHook<Item, Waiting> {
  explicit Item(char n) : name(n) {}
  char name;
};
using Items = IntrusiveList<Item>;
using WaitingItems = IntrusiveList<Item, Waiting>;

template <class List>
std::string names(const List& list) {
  std::string all;
  for (const Item& item : list) all += item.name;
  return all;
}

}  // namespace

TEST_CASE("an intrusive list keeps the order in which elements were pushed") {
  Item a('a'), b('b'), c('c');
  Items list;
  CHECK(list.empty());
  CHECK(list.begin() == list.end());
  CHECK(names(list).empty());

  list.push_back(b);
  CHECK(&list.front() == &b);
  CHECK(&list.back() == &b);
  list.push_back(c);
  list.push_front(a);
  CHECK_FALSE(list.empty());
  CHECK(names(list) == "abc");
  CHECK(&list.front() == &a);
  CHECK(&list.back() == &c);
  CHECK(std::distance(list.begin(), list.end()) == 3);
}

TEST_CASE("an element leaves an intrusive list from any place, and may come back") {
  Item a('a'), b('b'), c('c');
  Items list;
  for (Item* item : {&a, &b, &c}) list.push_back(*item);

  Items::remove(b);
  CHECK(names(list) == "ac");
  CHECK_FALSE(Items::linked(b));
  CHECK(Items::linked(a));
  Items::remove(b);  // in no list
  CHECK(names(list) == "ac");

  list.remove(a);
  list.remove(c);
  CHECK(list.empty());
  list.push_back(b);
  list.push_front(c);
  CHECK(names(list) == "cb");
}

TEST_CASE("an element that is destroyed leaves its intrusive lists") {
  Items list;
  WaitingItems waiting;
  Item a('a'), c('c');
  list.push_back(a);
  {
    Item b('b');
    list.push_back(b);
    list.push_back(c);
    waiting.push_back(b);
    CHECK(names(list) == "abc");
  }
  CHECK(names(list) == "ac");
  CHECK(waiting.empty());
}

TEST_CASE("an intrusive list that is destroyed leaves its elements unlinked") {
  Item a('a'), b('b');
  {
    Items list;
    list.push_back(a);
    list.push_back(b);
  }
  CHECK_FALSE(Items::linked(a));
  CHECK_FALSE(Items::linked(b));
  Items other;
  other.push_back(b);
  other.push_back(a);
  CHECK(names(other) == "ba");
  other.clear();
  CHECK(other.empty());
  CHECK_FALSE(Items::linked(a));
}

TEST_CASE("an element with two hooks is in two intrusive lists at once") {
  Item a('a'), b('b');
  Items list;
  WaitingItems waiting;
  list.push_back(a);
  list.push_back(b);
  waiting.push_back(b);
  CHECK(WaitingItems::linked(b));
  CHECK_FALSE(WaitingItems::linked(a));
  WaitingItems::remove(b);
  CHECK(waiting.empty());
  CHECK(names(list) == "ab");
}

TEST_CASE("a loop over an intrusive list may remove or destroy the current element") {
  std::vector<std::unique_ptr<Item>> owned;
  Items list;
  for (char n : {'a', 'b', 'c', 'd'}) {
    owned.push_back(std::make_unique<Item>(n));
    list.push_back(*owned.back());
  }
  std::string seen;
  for (Item& item : list) {
    seen += item.name;
    if (item.name == 'a' || item.name == 'd') Items::remove(item);
    if (item.name == 'b') owned[1].reset();
  }
  CHECK(seen == "abcd");
  CHECK(names(list) == "c");

  for (Item& item : list) Items::remove(item);
  CHECK(list.empty());
}

TEST_CASE("all elements of an intrusive list move to the end of another") {
  Item a('a'), b('b'), c('c'), d('d');
  Items from, to;
  to.splice_back(from);
  CHECK(to.empty());
  from.push_back(c);
  from.push_back(d);
  to.splice_back(from);
  CHECK(names(to) == "cd");
  CHECK(from.empty());

  from.push_back(a);
  to.splice_back(from);
  CHECK(names(to) == "cda");
  from.push_back(b);
  CHECK(names(from) == "b");
  Items::remove(d);
  CHECK(names(to) == "ca");
  CHECK(&to.back() == &a);
}

}  // namespace albatross::base_test
