// Conditions and actions from end to end: what a rule does with a request that meets it.
#include "tests/support/client.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

// Rules that each answer with their own name; what meets none gets "none".
std::string naming(const std::vector<std::pair<std::string, std::string>>& rules) {
  std::string out = "rules:\n";
  int priority = 0;
  for (const auto& [name, condition] : rules) {
    out += "  - {name: " + name + ", priority: " + std::to_string(++priority) + ", conditions: [" + condition +
           "], actions: [{fixed_response: {body: " + name + "}}]}\n";
  }
  return out;
}

struct Ask {
  std::string expected;
  std::string path = "/";
  std::string fields{};
  std::string host = "a";
};

void check(TestProxy& proxy, const std::vector<Ask>& asks) {
  for (const Ask& a : asks) {
    INFO(a.path << " " << a.fields << " " << a.host);
    Client client(proxy.port());
    CHECK(client.get(a.path, a.fields, a.host).body == a.expected);
  }
}

// The request as the server got it.
Message forwarded(TestProxy& proxy, const std::string& path, const std::string& fields = {},
                  const std::string& host = "a.example") {
  Client client(proxy.port());
  std::string raw = client.get(path, fields, host).body;
  return read_message(Side::kRequest, raw, [] { return std::string(); });
}

const std::string kOtherwise = "- fixed_response: {body: none}";

}  // namespace

TEST_CASE("every kind of condition decides", "[rules]") {
  TestProxy proxy(
      Setup{.listener = naming({{"host", "{host: [a.example, \"*.b.example\"]}"},
                                {"path", "{path: [\"/exact\", \"/wild/*/x\", {prefix: /pre}, \"~^/re/[0-9]+$\"]}"},
                                {"header", "{header: {name: X-Kind, values: [\"a*c\", \"~*^zed$\"]}}"},
                                {"cookie", "{cookie: {name: canary, values: [always]}}"},
                                {"query", "{query: {name: v, values: [\"2\", \"a b\"]}}"},
                                {"both", "{path: [/both]}, {header: {name: x-two, values: [\"*\"]}}"},
                                {"not", "{path: [{prefix: /not}]}, {not: {header: {name: x-no, values: [\"*\"]}}}"}}),
            .actions = kOtherwise});
  check(proxy, {{"none"},
                {"host", "/", "", "a.example"},
                {"host", "/", "", "A.Example:8080"},
                {"host", "/", "", "x.y.b.example"},
                {"none", "/", "", "b.example"},
                {"path", "/exact"},
                {"none", "/exact/"},
                {"none", "/Exact"},
                {"path", "/wild/1/2/x"},
                {"path", "/pre"},
                {"path", "/pre/x?y"},
                {"none", "/prefix"},
                {"path", "/re/42"},
                {"none", "/re/42x"},
                {"header", "/", "X-Kind: abc\r\n"},
                {"header", "/", "x-kind: ZED\r\n"},
                {"header", "/", "X-Kind: no\r\nX-Kind: ac\r\n"},
                {"none", "/", "X-Kind: xabc\r\n"},
                {"cookie", "/", "Cookie: a=b; canary=always\r\n"},
                {"none", "/", "Cookie: canary=never; xcanary=always\r\n"},
                {"query", "/?v=2"},
                {"query", "/?u=1&v=2&w"},
                {"query", "/?v=a%20b"},
                {"none", "/?v=22"},
                {"none", "/?vv=2"},
                {"both", "/both", "X-Two:\r\n"},
                {"none", "/both"},
                {"not", "/not/x"},
                {"none", "/not/x", "X-No: 1\r\n"}});
}

TEST_CASE("a path pattern is brought to the form that requests have", "[rules]") {
  TestProxy proxy(Setup{.listener = naming({{"umlaut", "{path: [/ü, \"/%c3%a4\"]}"},
                                            {"home", "{path: {prefix: /%7Euser}}"},
                                            {"dash", "{path: {exact: /a%2db}}"},
                                            {"dots", "{path: /x/../y}"},
                                            {"blank", "{path: /a b}"},
                                            {"wild", "{path: [\"/w%7e*/ö\", '/\\*/*']}"},
                                            {"percent", "{path: /100%25}"}}),
                        .actions = kOtherwise});
  check(proxy, {{"umlaut", "/%c3%bc"},
                {"umlaut", "/%C3%A4"},
                {"home", "/~user/x"},
                {"home", "/%7euser"},
                {"dash", "/a-b"},
                {"dots", "/y"},
                {"dots", "/x/../y"},
                {"none", "/x/y"},
                {"blank", "/a%20b"},
                {"wild", "/w~1/%c3%b6"},
                {"wild", "/*/2"},
                {"none", "/w/2"},
                {"percent", "/100%25"}});
}

TEST_CASE("method and source address decide", "[rules]") {
  TestProxy proxy(Setup{.listener = naming({{"method", "{method: [PUT, PATCH]}"},
                                            {"far", "{source_ip: [10.0.0.0/8, \"2001:db8::/32\"]}"},
                                            {"near", "{source_ip: [127.0.0.0/8]}"}}),
                        .actions = kOtherwise});
  check(proxy, {{"near"}});
  Client client(proxy.port());
  client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(client.read_response().body == "method");
}

TEST_CASE("the lowest priority that matches wins, whatever the order in the file", "[rules]") {
  TestProxy proxy(Setup{
      .listener =
          "rules:\n"
          "  - {name: late, priority: 50, actions: [{fixed_response: {body: late}}]}\n"
          "  - {name: early, priority: 7, conditions: [{path: [{prefix: /x}]}], actions: [{fixed_response: {body: "
          "early}}]}\n"
          "  - {name: first, priority: 6, conditions: [{path: [/x/y]}], actions: [{fixed_response: {body: first}}]}\n",
      .actions = kOtherwise});
  check(proxy, {{"late"}, {"early", "/x"}, {"early", "/x/z"}, {"first", "/x/y"}});
  const auto lines = proxy.log(4);
  CHECK(lines[3]["rule"] == "first");
}

TEST_CASE("weights share the requests out", "[rules]") {
  FakeUpstream blue(FakeUpstream::say("blue")), green(FakeUpstream::say("green")), none(FakeUpstream::say("none"));
  auto group = [](const std::string& name, const FakeUpstream& up) {
    return "- {name: " + name + ", servers: [{address: \"" + up.address() + "\"}]}\n";
  };
  TestProxy proxy(Setup{
      .groups = group("blue", blue) + group("green", green) + group("none", none),
      .actions = "- forward: {groups: [{name: blue, weight: 95}, {name: green, weight: 5}, {name: none, weight: 0}]}",
      .log = false});
  Client client(proxy.port());
  int greens = 0;
  for (int i = 0; i < 2000; ++i) greens += client.get("/").body == "green" ? 1 : 0;
  CHECK(greens > 50);  // 100 are expected; five deviations either way
  CHECK(greens < 150);
  CHECK(none.requests() == 0);
}

TEST_CASE("servers of a group take turns by weight", "[rules]") {
  FakeUpstream one(FakeUpstream::say("1")), two(FakeUpstream::say("2")), three(FakeUpstream::say("3"));
  TestProxy proxy(Setup{.groups = "- name: g\n  servers:\n    - {address: \"" + one.address() +
                                  "\", weight: 30}\n    - {address: \"" + two.address() +
                                  "\", weight: 10}\n    - {address: \"" + three.address() + "\", weight: 0}\n",
                        .actions = "- forward: g"});
  Client client(proxy.port());
  for (int i = 0; i < 40; ++i) CHECK(client.get("/").status() == 200);
  CHECK(one.requests() == 30);
  CHECK(two.requests() == 10);
  CHECK(three.requests() == 0);
}

TEST_CASE("a sticky client stays on the group it first got", "[rules]") {
  FakeUpstream blue(FakeUpstream::say("blue")), green(FakeUpstream::say("green"));
  TestProxy proxy(
      Setup{.groups = "- {name: blue, servers: [{address: \"" + blue.address() +
                      "\"}]}\n- {name: green, servers: [{address: \"" + green.address() + "\"}]}\n",
            .actions = "- forward: {groups: [{name: blue, weight: 50}, {name: green, weight: 50}], sticky: 1000s}"});
  for (int i = 0; i < 10; ++i) {
    Client client(proxy.port());
    const Message first = client.get("/");
    const std::string set = first.get("set-cookie");
    REQUIRE(set.find("Max-Age=1000") != std::string::npos);
    CHECK(lower_case(set).find("httponly") != std::string::npos);
    const std::string cookie = set.substr(0, set.find(';'));
    for (int k = 0; k < 10; ++k) {
      const Message again = client.get("/", "Cookie: x=y; " + cookie + "\r\n");
      CHECK(again.body == first.body);
      CHECK_FALSE(again.has("set-cookie"));
    }
  }
  Client client(proxy.port());
  CHECK(client.get("/", "Cookie: albatross=nonsense\r\n").status() == 200);
}

TEST_CASE("redirects change what they name and keep the rest", "[rules]") {
  auto location = [](const std::string& redirect, const std::string& path, const std::string& host) {
    TestProxy proxy(Setup{.actions = "- redirect: " + redirect, .log = false});
    Client client(proxy.port());
    const Message m = client.get(path, "", host);
    CHECK(m.status() >= 301);
    CHECK(client.get("/").status() >= 301);
    return std::to_string(m.status()) + " " + m.get("location");
  };
  CHECK(location("{protocol: https}", "/a?b=c", "x.example") == "308 https://x.example/a?b=c");
  CHECK(location("{protocol: https, port: 8443}", "/a", "x.example:8080") == "308 https://x.example:8443/a");
  CHECK(location("{host: y.example, code: 301}", "/a?b", "x.example") == "301 http://y.example/a?b");
  CHECK(location("{path: /new, code: 302}", "/a?b", "x.example") == "302 http://x.example/new?b");
  CHECK(location("{path: \"/new${path}\", query: \"\", code: 307}", "/a?b", "x.example") ==
        "307 http://x.example/new/a");
  CHECK(location("{query: \"u=${host}\", code: 303}", "/a", "x.example") == "303 http://x.example/a?u=x.example");
}

TEST_CASE("a redirect cannot be talked into another header", "[rules]") {
  TestProxy proxy(Setup{.actions = "- redirect: {path: \"/x${header:x-a}\", query: \"${query}\"}"});
  Client client(proxy.port());
  const Message m = client.get("/a%0d%0aSet-Cookie:%20evil=1?b%0d%0aX:y", "X-A: b\tc\r\n");
  CHECK_FALSE(m.has("set-cookie"));
  CHECK(m.get("location").starts_with("http://test.example/xb"));
}

TEST_CASE("a fixed response is what the file says", "[rules]") {
  TestProxy proxy(Setup{.actions = "- fixed_response: {code: 503, content_type: text/html, body: \"<p>later</p>\"}"});
  Client client(proxy.port());
  for (int i = 0; i < 2; ++i) {
    const Message m = client.get("/");
    CHECK(m.status() == 503);
    CHECK(m.get("content-type") == "text/html");
    CHECK(m.body == "<p>later</p>");
  }
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Message head = client.read_response(true);
  CHECK(head.get("content-length") == "12");
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(client.read_response().status() == 503);
}

TEST_CASE("a fixed response to a request with a body leaves the connection in order", "[rules]") {
  TestProxy proxy(Setup{.listener = naming({{"one", "{path: [/one]}"}}), .actions = kOtherwise});
  const bool together = GENERATE(true, false);
  Client client(proxy.port());
  const std::string head = "POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n";
  const std::string body = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n12345";
  if (together) {
    client.send(head + body);
  } else {
    client.send(head);
  }
  const Message m = client.read_response();
  CHECK(m.body == "one");
  if (!together) client.send(body);
  if (lower_case(m.get("connection")) == "close") {
    CHECK(client.ends());
  } else {
    CHECK(client.get("/other").body == "none");
  }
}

TEST_CASE("a rewrite changes host, path and query by captures and variables", "[rules]") {
  FakeUpstream up;
  TestProxy proxy(Setup{
      .servers = {up.address()},
      .listener = "rules:\n"
                  "  - name: users\n"
                  "    priority: 1\n"
                  "    conditions: [{path: [\"~^/v3/users/([0-9]+)/(.*)$\"]}]\n"
                  "    actions:\n"
                  "      - rewrite: {host: \"inner.${host}\", path: \"/u/${2}/../${1}\", query: \"id=${1}&${query}\"}\n"
                  "      - forward: app\n"});
  const Message m = forwarded(proxy, "/v3/users/42/x%20y?a=b");
  CHECK(m.target() == "/u/42?id=42&a=b");
  CHECK(m.get("host") == "inner.a.example");
  CHECK(forwarded(proxy, "/v3/users/x/y").target() == "/v3/users/x/y");
  CHECK(proxy.log(2)[0]["request_uri"] == "/v3/users/42/x%20y?a=b");
}

TEST_CASE("headers are inserted and removed in order", "[rules]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .actions = "- insert_header: {name: X-Edge, value: \"${listener} ${client_ip} ${protocol} "
                                   "${cookie:c} ${header:x-in}\"}\n"
                                   "- remove_header: {name: X-In}\n"
                                   "- insert_header: {name: X-Id, value: \"${request_id}\"}\n"
                                   "- forward: app"});
  const Message m = forwarded(
      proxy, "/", "X-In: in\r\nX-Edge: forged\r\nx-edge: twice\r\nCookie: c=d\r\nX-Request-Id: rid\r\nX-IN: again\r\n");
  CHECK(m.count("x-edge") == 1);
  CHECK(m.get("x-edge") == "web 127.0.0.1 http d in");
  CHECK_FALSE(m.has("x-in"));
  CHECK(m.get("x-id") == "rid");
}

TEST_CASE("a rule's timeouts are its own", "[rules]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_request();
    c.stall(Ms(1500));
    c.respond(200, "late");
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = "timeouts: {response: 1s}\n"
                                    "rules:\n  - {name: slow, priority: 1, conditions: [{path: [/slow]}], timeouts: "
                                    "{response: 10s}, actions: [{forward: app}]}\n"});
  Client patient(proxy.port()), other(proxy.port());
  patient.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(other.get("/").status() == 504);
  CHECK(patient.read_response().body == "late");
}

TEST_CASE("behind a trusted proxy that ends TLS, redirects and cookies are those of https", "[rules]") {
  const std::string https = "X-Forwarded-Proto: https\r\n";
  FakeUpstream up;
  const std::string actions = "- forward: {groups: [{name: app, weight: 1}, {name: other, weight: 1}], sticky: 100s}";
  const std::string rules =
      "rules:\n  - {name: r, priority: 1, conditions: [{path: [/r]}], actions: [{redirect: {path: /new}}]}\n"
      "  - {name: v, priority: 2, conditions: [{path: [/v]}], actions: [{insert_header: {name: x-at, value: "
      "\"${protocol}:${port}\"}}, {forward: app}]}\n";
  auto setup = [&](const std::string& trusted) {
    return Setup{.servers = {up.address()},
                 .listener = rules + trusted,
                 .groups = "- {name: other, servers: [{address: \"" + up.address() + "\"}]}",
                 .actions = actions};
  };
  TestProxy trusting(setup("trusted_proxies: [127.0.0.0/8]\n"));
  Client client(trusting.port());
  CHECK(client.get("/r", https, "site.test").get("location") == "https://site.test/new");
  CHECK(client.get("/r", https + "X-Forwarded-Host: shop.test\r\n", "site.test").get("location") ==
        "https://shop.test/new");
  CHECK(client.get("/r", https + "X-Forwarded-Host: a b\r\n", "site.test").get("location") == "https://site.test/new");
  CHECK(client.get("/", https).get("set-cookie").find("; Secure") != std::string::npos);
  CHECK(forwarded(trusting, "/v", https, "site.test").get("x-at") == "https:443");
  CHECK(forwarded(trusting, "/v", https + "X-Forwarded-Port: 8443\r\n", "site.test").get("x-at") == "https:8443");
  TestProxy wary(setup(""));
  Client other(wary.port());
  CHECK(other.get("/r", https, "site.test").get("location") == "http://site.test/new");
  CHECK(other.get("/", https).get("set-cookie").find("; Secure") == std::string::npos);
}
