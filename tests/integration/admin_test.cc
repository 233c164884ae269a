// The admin API: who may do what, over a unix socket and over TCP, and that nobody can hurt it.
#include <sys/stat.h>

#include <ctime>

#include "tests/integration/program.h"
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/setup.h"

using namespace albatross::test;
using Catch::Matchers::ContainsSubstring;

namespace {

Setup with(const std::string& admin, Setup setup) {
  setup.top += (setup.top.empty() ? "" : "\n") + admin;
  return setup;
}

class Bed {
 public:
  explicit Bed(const std::string& admin, const Setup& setup = {.actions = "- fixed_response: {body: served}"})
      : program(with(admin, setup).yaml()) {}

  Client connect() const { return Client(program.admin()); }
  // One request over a connection of its own.
  Message ask(const std::string& line, const std::string& fields = "Host: localhost\r\n",
              const std::string& body = {}) const {
    Client client = connect();
    client.send(line + " HTTP/1.1\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.read_response(line.starts_with("HEAD"));
  }
  nlohmann::json status() const { return nlohmann::json::parse(ask("GET /v1/status").body); }
  Message served() const { return Client(program.address()).get("/"); }

  Program program;
};

const std::string kUnix = "admin: {bind: \"unix:admin.sock\"}";
const std::string kTcp = "admin: {bind: \"127.0.0.1:0\", token: secret-token}";

}  // namespace

TEST_CASE("the admin socket is its owner's alone, and allows everything", "[admin]") {
  Bed bed(kUnix);
  struct stat info {};
  REQUIRE(::stat(bed.program.folder().file("admin.sock").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(bed.ask("GET /health").body == "ok\n");
  const Message reloaded = bed.ask("POST /v1/reload", "Host: whatever.example\r\nOrigin: http://evil.example\r\n");
  CHECK(reloaded.status() == 200);
  CHECK(nlohmann::json::parse(reloaded.body)["ok"] == true);
}

TEST_CASE("the admin socket of a living process is not taken from it, that of a dead one is", "[admin]") {
  const auto folder = std::make_shared<TempDir>();
  const std::string yaml = with(kUnix, {.actions = "- fixed_response: {body: served}"}).yaml();
  {
    Program first(yaml, folder);
    CHECK_THROWS_WITH(Program(yaml, folder), ContainsSubstring("another albatross uses this socket"));
    CHECK(Client("unix:" + folder->file("admin.sock")).get("/health").status() == 200);
  }
  REQUIRE(std::filesystem::exists(folder->file("admin.sock")));
  Program second(yaml, folder);
  CHECK(Client(second.admin()).get("/health").status() == 200);
  second.signal(SIGTERM);
  CHECK(second.exit_code() == 0);
  CHECK_FALSE(std::filesystem::exists(folder->file("admin.sock")));
}

TEST_CASE("over TCP anyone may read and a token is needed to write", "[admin]") {
  Bed bed(kTcp);
  CHECK(bed.ask("GET /v1/status").status() == 200);
  CHECK(bed.ask("GET /metrics").status() == 200);
  CHECK(bed.ask("GET /health").status() == 200);
  const std::string host = "Host: 127.0.0.1:9900\r\n";
  const auto before = bed.status()["configuration"];
  CHECK(bed.ask("POST /v1/reload", host).status() == 401);
  CHECK(bed.ask("POST /v1/reload", host + "Authorization: Bearer wrong-token\r\n").status() == 403);
  CHECK(bed.ask("POST /v1/reload", host + "Authorization: Bearer secret-toke\r\n").status() == 403);
  CHECK(bed.ask("POST /v1/reload", host + "Authorization: Bearer secret-token2\r\n").status() == 403);
  CHECK(bed.ask("POST /v1/reload", host + "Authorization: Basic secret-token\r\n").status() == 403);
  CHECK(bed.ask("POST /v1/reload?token=secret-token", host).status() == 401);
  CHECK(bed.status()["configuration"] == before);
  CHECK(bed.ask("POST /v1/reload", host + "Authorization: Bearer secret-token\r\n").status() == 200);
  CHECK(bed.status()["configuration"] > before);
}

TEST_CASE("without a token in the file nobody writes over TCP", "[admin]") {
  Bed bed("admin: {bind: \"127.0.0.1:0\"}");
  for (const std::string& given :
       {std::string(), std::string("Authorization: Bearer \r\n"), std::string("Authorization: Bearer x\r\n")}) {
    CHECK(bed.ask("POST /v1/reload", "Host: localhost\r\n" + given).status() == 403);
  }
}

TEST_CASE("a web page cannot speak to it", "[admin]") {
  Bed bed(kTcp);
  const std::string token = "Authorization: Bearer secret-token\r\n";
  CHECK(bed.ask("GET /v1/status", "Host: rebound.example\r\n").status() == 403);
  CHECK(bed.ask("GET /v1/status", "Host: localhost.evil.example:9900\r\n").status() == 403);
  CHECK(bed.ask("GET /v1/status", "").status() == 403);
  for (const char* host :
       {"localhost", "localhost:9900", "127.0.0.1", "127.0.0.1:9900", "[::1]:9900", "[::1]", "10.0.0.1"}) {
    CAPTURE(host);
    CHECK(bed.ask("GET /v1/status", std::string("Host: ") + host + "\r\n").status() == 200);
  }
  CHECK(bed.ask("POST /v1/reload", "Host: localhost\r\nOrigin: http://localhost:3000\r\n" + token).status() == 403);
  CHECK(bed.ask("POST /v1/reload", "Host: localhost\r\nOrigin: null\r\n" + token).status() == 403);
}

TEST_CASE("/health is 503 while the process drains", "[admin]") {
  Bed bed(kUnix, {.top = "shutdown: {delay: 10s, drain: 1s}", .actions = "- fixed_response: {body: served}"});
  CHECK(bed.ask("GET /health").status() == 200);
  bed.program.signal(SIGTERM);
  CHECK(eventually([&] { return bed.ask("GET /health").status() == 503; }));
  CHECK(bed.served().body == "served");
  CHECK(bed.ask("GET /v1/status").status() == 200);
  CHECK(bed.ask("POST /v1/reload").status() == 422);
}

TEST_CASE("a failed reload over the API says why", "[admin]") {
  Bed bed(kUnix);
  bed.program.folder().write("albatross.yaml", "listeners: []\nnonsense: 1\n");
  const Message answer = bed.ask("POST /v1/reload");
  CHECK(answer.status() == 422);
  const auto json = nlohmann::json::parse(answer.body);
  CHECK(json["ok"] == false);
  CHECK_THAT(json["message"].get<std::string>(),
             ContainsSubstring("nonsense") && ContainsSubstring("nothing was changed"));
  REQUIRE(json["diagnostics"].is_array());
  CHECK_FALSE(json["diagnostics"].empty());
  CHECK(bed.served().body == "served");
}

TEST_CASE("the metrics are what promtool takes", "[admin]") {
  FakeUpstream up;
  const std::time_t before = std::time(nullptr);
  Bed bed(kUnix, {.servers = {up.address()}, .group = "health_check: {interval: 100ms}"});
  const std::time_t after = std::time(nullptr);
  Client client(bed.program.address());
  for (int i = 0; i < 3; ++i) client.get("/");
  REQUIRE(eventually([&] { return bed.ask("GET /metrics").body.find("_requests_total{") != std::string::npos; }));
  const std::string text = bed.ask("GET /metrics").body;
  std::istringstream lines(text);
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    ++samples;
    CHECK(line.starts_with("albatross_"));
    if (!line.starts_with("albatross_start_time_seconds ")) continue;
    const std::time_t started = std::stoll(line.substr(line.find(' ')));
    CHECK((before <= started && started <= after));
  }
  CHECK(samples > 10);
  if (std::system("command -v promtool > /dev/null 2>&1") != 0) SKIP("promtool is not installed");
  const TempDir folder;
  const std::string file = folder.write("metrics.txt", text);
  const int code = std::system(("promtool check metrics < " + file + " > " + folder.file("out") + " 2>&1").c_str());
  INFO(read_file(folder.file("out")));
  CHECK(code == 0);
}

TEST_CASE("the status is JSON that tells of listeners, groups and servers", "[admin]") {
  FakeUpstream up;
  Bed bed(kUnix, {.servers = {up.address()}});
  Client client(bed.program.address());
  client.get("/");
  REQUIRE(eventually([&] { return bed.status()["listeners"][0]["requests"] == 1; }));
  auto json = bed.status();
  CHECK(json["listeners"][0]["name"] == "web");
  CHECK(json["listeners"][0]["address"] == bed.program.address());
  CHECK(json["listeners"][0]["connections"] == 1);
  CHECK(json["server_groups"][0]["name"] == "app");
  CHECK(json["server_groups"][0]["servers"][0]["address"] == up.address());
  CHECK(json["server_groups"][0]["servers"][0]["health"] == "unchecked");
  CHECK(json["server_groups"][0]["requests"] == 1);
  CHECK(json["draining"] == false);
}

TEST_CASE("what it does not know is a 404, and HEAD has no body", "[admin]") {
  Bed bed(kUnix);
  for (const char* line :
       {"GET /", "GET /v1", "GET /v1/statusx", "GET /../etc/passwd", "POST /v1/status", "DELETE /metrics"}) {
    CAPTURE(line);
    const Message answer = bed.ask(line);
    CHECK(answer.status() == 404);
    CHECK(nlohmann::json::parse(answer.body).contains("error"));
  }
  CHECK(bed.ask("GET /v1/reload").status() == 405);
  const Message head = bed.ask("HEAD /v1/status");
  CHECK(head.status() == 200);
  CHECK(std::stoi(head.get("content-length")) > 10);
}

TEST_CASE("a connection serves many requests, also pipelined", "[admin]") {
  Bed bed(kTcp);
  Client client = bed.connect();
  for (int i = 0; i < 5; ++i) CHECK(client.get("/health", "", "localhost").body == "ok\n");
  client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /none HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(client.read_response().status() == 200);
  CHECK(client.read_response().status() == 404);
}

TEST_CASE("large, broken and slow requests do not hurt it", "[admin]") {
  Bed bed(kTcp);
  Client slow = bed.connect();
  slow.send("GET /health HT");
  const auto sends = [&](const std::string& bytes) {
    Client client = bed.connect();
    client.send(bytes);
    client.half_close();
    Got how = Got::kTimeout;
    const std::string answer = client.read_all(&how);
    CHECK(answer.find(" 200 ") == std::string::npos);
  };
  sends("GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  sends("POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n" + std::string(1'500'000, 'x'));
  sends("POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n");
  sends("POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  sends(std::string(1000, '\0'));
  sends("\x16\x03\x01\x02\x00\x01\x00");
  sends("GET /health");
  CHECK(bed.ask("GET /health").status() == 200);
  slow.send("TP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(slow.read_response().status() == 200);
}
