// Clients that stay on a group: until its weight is zero or it has gone.
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

struct Colours {
  FakeUpstream blue{FakeUpstream::say("blue")}, green{FakeUpstream::say("green")};

  Setup shared(int blue_weight, int green_weight) const {
    const auto group = [](const std::string& name, const FakeUpstream& up) {
      return "- {name: " + name + ", servers: [{address: \"" + up.address() + "\"}]}\n";
    };
    return {.groups = group("blue", blue) + group("green", green),
            .actions = "- forward: {groups: [{name: blue, weight: " + std::to_string(blue_weight) +
                       "}, {name: green, weight: " + std::to_string(green_weight) + "}], sticky: 1000s}"};
  }
};

std::string cookie_of(const Message& m) {
  const std::string set = m.get("set-cookie");
  return "Cookie: " + set.substr(0, set.find(';')) + "\r\n";
}

}  // namespace

TEST_CASE("a client of a group whose weight becomes zero is pinned to another, and stays there", "[rules]") {
  Colours colours;
  TestProxy proxy(colours.shared(100, 0));
  Client client(proxy.port());
  const Message first = client.get("/");
  CHECK(first.body == "blue");
  const std::string pinned = cookie_of(first);
  REQUIRE(proxy.reload(colours.shared(50, 50)).ok);
  for (int i = 0; i < 10; ++i) CHECK(client.get("/", pinned).body == "blue");
  REQUIRE(proxy.reload(colours.shared(0, 100)).ok);
  REQUIRE(eventually([&] { return client.get("/").body == "green"; }));
  const Message moved = client.get("/", pinned);
  CHECK(moved.body == "green");
  const std::string again = cookie_of(moved);
  CHECK(again != pinned);
  REQUIRE(proxy.reload(colours.shared(50, 50)).ok);
  for (int i = 0; i < 10; ++i) {
    const Message m = client.get("/", again);
    CHECK(m.body == "green");
    CHECK_FALSE(m.has("set-cookie"));
  }
}
