// Where the proxy listens and where servers are: unix sockets, IPv6, several listeners.
#include <sys/stat.h>

#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

TEST_CASE("a unix socket listens, and is gone afterwards", "[places]") {
  FakeUpstream up;
  TempDir folder;
  const std::string path = folder.file("web.sock");
  {
    TestProxy proxy(Setup{.servers = {up.address()}, .bind = "unix:" + path, .workers = 2});
    for (int i = 0; i < 20; ++i) {
      Client client("unix:" + path);
      const Message m = client.get("/");
      CHECK(m.status() == 200);
      CHECK(lower_case(m.body).find("x-forwarded-for") == std::string::npos);
    }
    CHECK_FALSE(proxy.log(20)[0].contains("client_ip"));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a unix socket that a dead process left is taken over", "[places]") {
  TempDir folder;
  const std::string path = folder.file("web.sock");
  std::uint16_t none = 0;
  listen_on("unix:" + path, none).close();
  REQUIRE(std::filesystem::exists(path));
  TestProxy proxy(Setup{.actions = "- fixed_response: {body: ok}", .bind = "unix:" + path});
  CHECK(Client("unix:" + path).get("/").body == "ok");
}

TEST_CASE("a server may be a unix socket", "[places]") {
  TempDir folder;
  const std::string address = "unix:" + folder.file("app.sock");
  FakeUpstream up(FakeUpstream::say("local"), address);
  TestProxy proxy(Setup{.servers = {address}});
  Client client(proxy.port());
  for (int i = 0; i < 3; ++i) CHECK(client.get("/").body == "local");
  CHECK(up.connections() == 1);
  up.stop();
  CHECK(client.get("/").status() == 502);
}

TEST_CASE("IPv6 on both sides", "[places]") {
  FakeUpstream up(FakeUpstream::echo(), "[::1]:0");
  TestProxy proxy(Setup{.servers = {up.address()}, .bind = "[::1]:0"});
  Client client("[::1]:" + std::to_string(proxy.port()));
  const Message m = client.get("/");
  CHECK(lower_case(m.body).find("x-forwarded-for: ::1\r\n") != std::string::npos);
  const auto line = proxy.log(1)[0];
  CHECK(line["client_ip"] == "::1");
  CHECK(line["upstream_addr"] == up.address());
}

TEST_CASE("a bind without a host takes both families", "[places]") {
  TestProxy proxy(Setup{.actions = "- fixed_response: {body: \"${client_ip}\"}", .bind = ":0"});
  CHECK(Client(proxy.port()).get("/").status() == 200);
  CHECK(Client("[::1]:" + std::to_string(proxy.port())).get("/").status() == 200);
  const auto lines = proxy.log(2);
  CHECK(lines[0]["client_ip"] == "127.0.0.1");
  CHECK(lines[1]["client_ip"] == "::1");
}

TEST_CASE("a port that another process has is an error that says so", "[places]") {
  std::uint16_t port = 0;
  const Fd taken = listen_on("127.0.0.1:0", port);
  CHECK_THROWS_WITH(TestProxy(Setup{.actions = "- fixed_response: {}", .bind = loopback(port)}),
                    Catch::Matchers::ContainsSubstring("in use"));
  TestProxy first(Setup{.actions = "- fixed_response: {}"});
  CHECK_THROWS_WITH(TestProxy(Setup{.actions = "- fixed_response: {}", .bind = loopback(first.port())}),
                    Catch::Matchers::ContainsSubstring("in use"));
}

TEST_CASE("every worker serves", "[places]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .workers = 4, .log = false});
  std::vector<Client> clients;
  for (int i = 0; i < 40; ++i) clients.emplace_back(proxy.port());
  for (Client& c : clients) CHECK(c.get("/").status() == 200);
  CHECK(up.connections() >= 2);
}
