// After a refusal: the whole answer, `Connection: close`, and not one more byte is read as a request.
#include "tests/conformance/corpus.h"

using namespace albatross::test;

TEST_CASE("a refusal reaches a client that is still sending", "[refusal]") {
  RequestCorpus corpus;
  const std::string bad =
      GENERATE("GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n"s, post("Content-Length: x\r\n", ""), chunked("zz\r\n"));
  for (int i = 0; i < 20; ++i) {
    Client client(corpus.proxy().port());
    client.send(bad + std::string(30'000, 'x'));
    client.send(std::string(20'000, 'y'));
    CHECK(client.read_response().status() == 400);
    Got how = Got::kTimeout;
    CHECK(client.read_all(&how) == "");
    CHECK(how == Got::kEnd);
  }
}

TEST_CASE("a refused connection goes within two seconds whatever the client does", "[refusal]") {
  RequestCorpus corpus;
  SECTION("it stays and says nothing") {
    Client client(corpus.proxy().port());
    client.send(get("X y: z\r\n"));
    CHECK(client.read_response().status() == 400);
    CHECK(client.ends());
    // The other half is closed after the grace: what is sent then is answered by a reset.
    CHECK(eventually([&] { return client.channel().send("x", Deadline()) == Got::kEnd; }, Ms(5000)));
  }
  SECTION("it sends without an end") {
    Client client(corpus.proxy().port());
    client.send(get("X y: z\r\n"));
    const Deadline deadline(Ms(5000));
    const std::string bytes(16'384, 'x');
    Got got;
    do {
      got = client.channel().send(bytes, deadline);
    } while (got == Got::kBytes);
    CHECK(got == Got::kEnd);
  }
}

TEST_CASE("requests behind a refused one are not served", "[refusal]") {
  RequestCorpus corpus;
  Client client(corpus.proxy().port());
  client.send(get("") + get("X y: z\r\n") + get(""));
  CHECK(client.read_response().status() == 200);
  CHECK(client.read_response().status() == 400);
  CHECK(client.ends());
  CHECK(corpus.upstream().requests() == 1);
}

TEST_CASE("a request that is cut off is not forwarded as a whole one", "[refusal]") {
  RequestCorpus corpus;
  for (const std::string& part :
       {"G"s, "GET / HTTP/1.1\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\n\r"s,
        post("Content-Length: 5\r\n", "abcd"), chunked("5\r\nabcd"), chunked("5\r\nabcde\r\n"), chunked("0\r\n"),
        chunked("0\r\nX: y\r\n")}) {
    Client client(corpus.proxy().port());
    client.send(part);
    client.half_close();
    client.read_all();
  }
  CHECK(corpus.upstream().requests() == 0);
}

TEST_CASE("a refusal says why in the log", "[refusal]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()}});
  auto send = [&](const std::string& bytes) {
    Client client(proxy.port());
    client.send(bytes);
    client.read_response();
  };
  send(get("X y: z\r\n"));
  send("GET /" + std::string(17'000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n");
  send(get("X: " + std::string(40'000, 'a') + "\r\n"));
  send("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
  send("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto lines = proxy.log(5);
  const std::vector<std::pair<int, std::string>> wanted = {{400, "malformed_request"},
                                                           {414, "target_too_long"},
                                                           {431, "head_too_large"},
                                                           {501, "not_implemented"},
                                                           {400, "bad_path"}};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(lines[i]["status"] == wanted[i].first);
    CHECK(lines[i]["termination"] == wanted[i].second);
    CHECK(lines[i]["listener"] == "web");
  }
}
