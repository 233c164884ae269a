// Where a listener may be and where a server may be.
#include "config/load.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross;
using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string listener(const std::string& name, const std::string& bind) {
  return "  - {name: " + name + ", bind: \"" + bind +
         "\", protocol: http, default_actions: [{fixed_response: {body: " + name + "}}]}\n";
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
  Process server(config, {nullptr, {}, [](albatross::Level, const std::string&) {}});
  if (server.start(out, error)) return {};
  std::ostringstream text;
  out.print(text);
  return text.str() + error;
}

}  // namespace

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

TEST_CASE("a server whose unix socket is not there is a 502", "[listeners]") {
  const TempDir folder;
  TestProxy proxy(Setup{.servers = {"unix:" + folder.file("gone.sock")}});
  Client client(proxy.port());
  CHECK(client.get("/").status() == 502);
  auto line = proxy.log(1)[0];
  CHECK(line["termination"].get<std::string>().starts_with("connect_"));
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
