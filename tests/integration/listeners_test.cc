// Where a listener may be and where a server may be.
#include <sys/stat.h>

#include "config/load.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross;
using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string listener(const std::string& name, const std::string& bind) {
  return "  - {name: " + name + ", bind: \"" + bind + "\", protocol: http, default_actions: [{fixed_response: {body: " + name + "}}]}\n";
}

bool has_v6() {
  try {
    std::uint16_t port = 0;
    listen_on("[::1]:0", port);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

// What start() says of a configuration that cannot be served; empty if it can.
std::string start_error(const std::string& yaml) {
  const TempDir folder;
  const std::string file = folder.write("albatross.yaml", yaml);
  std::string error;
  const auto source = config::read_source(file, error);
  config::Diagnostics out(file, source->text);
  auto config = std::make_shared<config::Config>(config::load(*source, out));
  REQUIRE(out.ok());
  Server server(config, {.log = [](const std::string&) {}});
  if (server.start(out, error)) return {};
  std::ostringstream text;
  out.print(text);
  return text.str() + error;
}

}  // namespace

TEST_CASE("a listener on a unix socket serves, and its socket goes with it", "[listeners]") {
  FakeUpstream up;
  const auto folder = std::make_shared<TempDir>();
  const std::string path = folder->file("web.sock");
  const int workers = GENERATE(1, 3);
  {
    TestProxy proxy(Setup{.servers = {up.address()}, .bind = "unix:web.sock", .workers = workers}.yaml(), {}, folder);
    for (int i = 0; i < 5; ++i) {
      Client client("unix:" + path);
      CHECK(client.get("/x").status() == 200);
      CHECK(client.get("/y").status() == 200);
    }
    auto line = proxy.log(10)[0];
    CHECK(line["status"] == 200);
    CHECK(line["listener"] == "web");
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the socket file of a process that died is no obstacle", "[listeners]") {
  const auto folder = std::make_shared<TempDir>();
  {
    std::uint16_t unused = 0;
    listen_on("unix:" + folder->file("web.sock"), unused);
  }
  REQUIRE(std::filesystem::exists(folder->file("web.sock")));
  TestProxy proxy(Setup{.actions = "- fixed_response: {body: here}", .bind = "unix:web.sock"}.yaml(), {}, folder);
  CHECK(Client("unix:" + folder->file("web.sock")).get("/").body == "here");
}

TEST_CASE("a file that is no socket is not removed for a listener", "[listeners]") {
  const TempDir folder;
  const std::string path = folder.write("precious", "data");
  CHECK_THAT(start_error("listeners:\n" + listener("web", "unix:" + path) + "workers: 1\n"), ContainsSubstring(path));
  CHECK(read_file(path) == "data");
}

TEST_CASE("a unix socket that another process listens on is not taken from it", "[listeners]") {
  const auto folder = std::make_shared<TempDir>();
  const std::string yaml = "listeners:\n" + listener("web", "unix:" + folder->file("web.sock")) + "workers: 1\n";
  TestProxy first(yaml, {}, folder);
  CHECK_THAT(start_error(yaml), ContainsSubstring("web.sock"));
  CHECK(Client("unix:" + folder->file("web.sock")).get("/").body == "web");
}

TEST_CASE("a server on a unix socket is forwarded to, and kept", "[listeners]") {
  const TempDir folder;
  FakeUpstream up(FakeUpstream::say("by path"), "unix:" + folder.file("app.sock"));
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  for (int i = 0; i < 3; ++i) CHECK(client.get("/").body == "by path");
  CHECK(up.connections() == 1);
  CHECK_THAT(proxy.log(3)[0]["upstream_addr"].get<std::string>(), ContainsSubstring("app.sock"));
}

TEST_CASE("a server whose unix socket is not there is a 502", "[listeners]") {
  const TempDir folder;
  TestProxy proxy(Setup{.servers = {"unix:" + folder.file("gone.sock")}});
  Client client(proxy.port());
  CHECK(client.get("/").status() == 502);
  auto line = proxy.log(1)[0];
  CHECK(line["termination"].get<std::string>().starts_with("connect_"));
}

TEST_CASE("a listener on an IPv6 address, and a server on one", "[listeners]") {
  if (!has_v6()) SKIP("no IPv6 here");
  FakeUpstream up(FakeUpstream::echo(), "[::1]:0");
  TestProxy proxy(Setup{.servers = {"[::1]:" + std::to_string(up.port())}, .bind = "[::1]:0"});
  Client client("[::1]:" + std::to_string(proxy.port()));
  const Message answer = client.get("/");
  CHECK(answer.status() == 200);
  CHECK_THAT(lower_case(answer.body), ContainsSubstring("x-forwarded-for: ::1\r\n"));
  CHECK(proxy.log(1)[0]["client_ip"] == "::1");
}

TEST_CASE("a listener without a host takes both families, and IPv4 clients keep their address", "[listeners]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}, .bind = ":0"});
  Client v4(proxy.port());
  CHECK_THAT(lower_case(v4.get("/").body), ContainsSubstring("x-forwarded-for: 127.0.0.1\r\n"));
  CHECK(proxy.log(1)[0]["client_ip"] == "127.0.0.1");
  if (!has_v6()) SKIP("no IPv6 here");
  Client v6("[::1]:" + std::to_string(proxy.port()));
  CHECK_THAT(lower_case(v6.get("/").body), ContainsSubstring("x-forwarded-for: ::1\r\n"));
}

TEST_CASE("several listeners each serve their own", "[listeners]") {
  const auto folder = std::make_shared<TempDir>();
  std::string yaml = "listeners:\n";
  for (int i = 0; i < 8; ++i) yaml += listener("l" + std::to_string(i), "127.0.0.1:0");
  yaml += listener("u", "unix:u.sock") + "workers: 2\n";
  TestProxy proxy(yaml, {}, folder);
  for (int i = 0; i < 8; ++i) {
    const std::string name = "l" + std::to_string(i);
    CHECK(Client(proxy.port(name)).get("/").body == name);
  }
  CHECK(Client("unix:" + folder->file("u.sock")).get("/").body == "u");
}

TEST_CASE("a second process on the same port does not start, and says whose port it is", "[listeners]") {
  TestProxy proxy(Setup{.actions = "- fixed_response: {body: first}"});
  const std::string bind = loopback(proxy.port());
  const std::string error = start_error("listeners:\n" + listener("free", "127.0.0.1:0") + listener("web", bind) + "workers: 2\n");
  CHECK_THAT(error, ContainsSubstring("cannot listen on " + bind) && ContainsSubstring("in use"));
  CHECK_THAT(error, ContainsSubstring("listeners[1].bind"));
  for (int i = 0; i < 5; ++i) CHECK(Client(proxy.port()).get("/").body == "first");
}

TEST_CASE("every worker takes connections", "[listeners]") {
  TestProxy proxy(Setup{.actions = "- fixed_response: {body: here}", .workers = 4});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<Client>(proxy.port()));
    CHECK(clients.back()->get("/").body == "here");
  }
  for (auto& client : clients) CHECK(client->get("/").body == "here");
}

TEST_CASE("beyond the connection limit the oldest idle connection makes room", "[listeners]") {
  TestProxy proxy(Setup{.top = "limits: {connections: 4}", .actions = "- fixed_response: {body: here}"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<Client>(proxy.port()));
    CHECK(clients.back()->get("/").body == "here");
  }
  CHECK(clients[0]->ends());
  CHECK(clients[1]->ends());
  for (std::size_t i = 2; i < 6; ++i) CHECK(clients[i]->get("/").body == "here");
}
