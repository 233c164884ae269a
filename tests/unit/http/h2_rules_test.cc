// RFC 9113 §8 as tables: what a request and a response may hold, by framing.h alone, and through the codec, where
// nghttp2's checks come first.
#include <catch2/catch_test_macros.hpp>

#include "http/framing.h"
#include "tests/unit/http/h2_pair.h"

namespace albatross::http_test {
namespace {

using List = std::vector<std::pair<std::string, std::string>>;

std::string shown(const BodyLength& b) {
  switch (b.kind) {
    case BodyLength::Kind::kNone: return "none";
    case BodyLength::Kind::kLength: return "length " + std::to_string(b.length);
    case BodyLength::Kind::kChunked: return "open";
    case BodyLength::Kind::kUntilClose: return "until close";
  }
  return "?";
}

std::string live(const Fields& fields) {
  std::string out;
  for (const Field& f : fields) {
    if (!f.removed) out += " " + std::string(f.name()) + "=" + std::string(f.value()) + ";";
  }
  return out;
}

struct Request {
  const char* what = "";
  std::string method = "GET";
  std::string path = "/";
  List fields{};
  bool end = true;
  std::string authority = "a.test";
  std::string scheme = "https";
  std::string protocol{};
};

// Method, authority, path, body and what is left of the fields; or the cause.
std::string result(const Request& r) {
  Arena arena;
  Head h;
  h.fields = Fields(arena);
  h.method_text = r.method;
  h.scheme = r.scheme;
  h.authority = r.authority;
  h.target = r.path;
  for (const auto& [name, value] : r.fields) h.fields.add(name, value);
  Refusal why = apply_h2_request_rules(h, r.protocol, r.end, h.fields.begin(), h.fields.size());
  CHECK((why.cause == Cause::kNone) == (why.detail == nullptr));
  if (why.cause != Cause::kNone) return std::string(info(why.cause).name);
  CHECK(h.version == Version::kHttp2);
  CHECK(h.method == method_of(h.method_text));
  return std::string(h.method_text) + " " + std::string(h.authority) + " " + std::string(h.path) +
         (h.has_query ? "?" + std::string(h.query) : "") + " " + shown(h.body) + (h.expect_continue ? " expect" : "") +
         (h.upgrade ? " upgrade" : "") + live(h.fields);
}

struct Response {
  const char* what = "";
  std::uint16_t status = 200;
  bool end = false;
  List fields{};
  bool to_head = false;
  bool upgrade = false;
};

std::string result(const Response& r) {
  Arena arena;
  Head h;
  h.fields = Fields(arena);
  h.status = r.status;
  h.upgrade = r.upgrade;
  for (const auto& [name, value] : r.fields) h.fields.add(name, value);
  Refusal why = apply_h2_response_rules(h, r.to_head, r.end, h.fields.begin(), h.fields.size());
  if (why.cause != Cause::kNone) return std::string(info(why.cause).name);
  CHECK(h.version == Version::kHttp2);
  return shown(h.body) + (h.declared_length >= 0 ? ", says " + std::to_string(h.declared_length) : "") + live(h.fields);
}

// What a server's codec makes of a request whose block has these fields.
std::string received(const List& fields, bool end = true, const std::string& behind = {}) {
  H2End client(Role::kClient), server(Role::kServer);
  talk(client, server);
  server.hear(frame(1, end ? 5 : 4, 1, block(fields)) + behind);
  server.said();
  CHECK(server.codec.failure().cause == Cause::kNone);
  return server.heard();
}

// What a client's codec makes of an answer.
std::string answered(const List& fields, bool end = true, const std::string& behind = {},
                     Method method = Method::kGet) {
  H2End client(Role::kClient), server(Role::kServer);
  Head h = client.get();
  h.method = method;
  h.method_text = method == Method::kHead ? "HEAD" : "GET";
  client.request(h, true);
  talk(client, server);
  client.hear(frame(1, end ? 5 : 4, 1, block(fields)) + behind);
  client.said();
  CHECK(client.codec.failure().cause == Cause::kNone);
  return client.heard();
}

const List kGet = {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a.test"}};

List with(List fields, const List& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
List with(const List& more) { return with(kGet, more); }
// kGet with one value in the place of another; "-": without.
List but(const std::string& name, const std::string& value) {
  List out;
  for (const auto& f : kGet) {
    if (f.first != name) out.push_back(f);
    if (f.first == name && value != "-") out.emplace_back(name, value);
  }
  return out;
}

}  // namespace

TEST_CASE("h2 requests that pass, and what becomes of them") {
  const std::vector<std::pair<Request, std::string>> cases = {
      {{.what = "the least"}, "GET a.test / none"},
      {{.what = "a query", .path = "/a?b=c?d"}, "GET a.test /a?b=c?d none"},
      {{.what = "an empty query", .path = "/a?"}, "GET a.test /a? none"},
      {{.what = "* for OPTIONS", .method = "OPTIONS", .path = "*"}, "OPTIONS a.test * none"},
      {{.what = "a method of its own", .method = "get"}, "get a.test / none"},
      {{.what = "an authority with a port", .authority = "a.test:8443"}, "GET a.test:8443 / none"},
      {{.what = "an IPv6 authority", .authority = "[::1]:8443"}, "GET [::1]:8443 / none"},
      {{.what = "host and :authority are the same", .fields = {{"host", "A.test"}}}, "GET a.test / none"},
      {{.what = "host alone", .fields = {{"host", "b.test"}}, .authority = ""}, "GET b.test / none"},
      {{.what = "no length", .method = "POST", .end = false}, "POST a.test / open"},
      {{.what = "a length", .method = "POST", .fields = {{"content-length", "5"}}, .end = false},
       "POST a.test / length 5"},
      {{.what = "a length of a GET", .fields = {{"content-length", "5"}}, .end = false}, "GET a.test / length 5"},
      {{.what = "a length of 0", .fields = {{"content-length", "0"}}, .end = false}, "GET a.test / length 0"},
      {{.what = "a length of 0, and the end", .fields = {{"content-length", "0"}}}, "GET a.test / none"},
      {{.what = "te", .fields = {{"te", "trailers"}}}, "GET a.test / none te=trailers;"},
      {{.what = "te, with more", .fields = {{"te", "gzip;q=1, Trailers"}}}, "GET a.test / none te=Trailers;"},
      {{.what = "te without trailers", .fields = {{"te", "gzip"}}}, "GET a.test / none"},
      {{.what = "expect", .fields = {{"expect", "100-Continue"}}, .end = false}, "GET a.test / open expect"},
      {{.what = "expect without a body", .fields = {{"expect", "100-continue"}}}, "GET a.test / none"},
      {{.what = "fields of HTTP/1.1 connections",
        .fields = {{"connection", "x-a, host, content-length, close"},
                   {"x-a", "1"},
                   {"keep-alive", "timeout=5"},
                   {"proxy-connection", "close"},
                   {"transfer-encoding", "chunked"},
                   {"upgrade", "websocket"},
                   {"http2-settings", "AAMAAABk"},
                   {"x-b", "2"}}},
       "GET a.test / none x-b=2;"},
      {{.what = "a name with an underscore", .fields = {{"x_forwarded_for", "1"}, {"x-a", "1"}}},
       "GET a.test / none x_forwarded_for=1; x-a=1;"},
      {{.what = "a websocket", .method = "CONNECT", .path = "/chat?x", .end = false, .protocol = "websocket"},
       "GET a.test /chat?x none upgrade"},
      {{.what = "a websocket of some length",
        .method = "CONNECT",
        .fields = {{"content-length", "7"}, {"expect", "100-continue"}, {"upgrade", "h2c"}},
        .end = false,
        .protocol = "websocket"},
       "GET a.test / none upgrade"},
  };
  for (const auto& [request, expected] : cases) {
    INFO(request.what);
    CHECK(result(request) == expected);
  }
}

TEST_CASE("h2 requests that are refused") {
  const std::vector<Request> malformed = {
      {.what = "no method", .method = ""},
      {.what = "a method with a space", .method = "GET /"},
      {.what = "no scheme", .scheme = ""},
      {.what = "another scheme", .scheme = "ftp"},
      {.what = "a scheme in upper case", .scheme = "HTTPS"},
      {.what = "no path", .path = ""},
      {.what = "a path without a slash", .path = "a"},
      {.what = "a query for a path", .path = "?a"},
      {.what = "a URL", .path = "https://a.test/"},
      {.what = "an authority for a path", .path = "a.test:443"},
      {.what = "*", .path = "*"},
      {.what = "* and more", .method = "OPTIONS", .path = "*/"},
      {.what = "no path of OPTIONS", .method = "OPTIONS", .path = ""},
      {.what = "a fragment", .path = "/#a"},
      {.what = "a fragment in the query", .path = "/?a#b"},
      {.what = "a space", .path = "/a HTTP/1.1"},
      {.what = "CR LF", .path = "/\r\nx: y"},
      {.what = "DEL", .path = "/\x7f"},
      {.what = "a high byte", .path = "/\xc3"},
      {.what = "NUL", .path = std::string("/\0", 2)},
      {.what = "no authority", .authority = ""},
      {.what = "userinfo", .authority = "u@a.test"},
      {.what = "a space in the authority", .authority = "a .test"},
      {.what = "a slash in the authority", .authority = "a.test/x"},
      {.what = "a port that is none", .authority = "a.test:65536"},
      {.what = "an empty port", .authority = "a.test:"},
      {.what = "two authorities", .authority = "a.test,b.test:80,"},
      {.what = "another host", .fields = {{"host", "b.test"}}},
      {.what = "a host with another port", .fields = {{"host", "a.test:443"}}},
      {.what = "an empty host", .fields = {{"host", ""}}},
      {.what = "an empty host alone", .fields = {{"host", ""}}, .authority = ""},
      {.what = "two hosts", .fields = {{"host", "a.test"}, {"host", "a.test"}}},
      {.what = "two hosts alone", .fields = {{"host", "a.test"}, {"host", "b.test"}}, .authority = ""},
      {.what = "a host that is none", .fields = {{"host", "u@b.test"}}, .authority = ""},
      {.what = "two lengths", .fields = {{"content-length", "5"}, {"content-length", "6"}}, .end = false},
      {.what = "a length twice", .fields = {{"content-length", "5"}, {"content-length", "5"}}, .end = false},
      {.what = "lengths in a list", .fields = {{"content-length", "5, 5"}}, .end = false},
      {.what = "an empty length", .fields = {{"content-length", ""}}, .end = false},
      {.what = "a sign", .fields = {{"content-length", "+5"}}, .end = false},
      {.what = "below zero", .fields = {{"content-length", "-1"}}, .end = false},
      {.what = "hex", .fields = {{"content-length", "0x5"}}, .end = false},
      {.what = "more than 63 bits", .fields = {{"content-length", "9223372036854775808"}}, .end = false},
      {.what = "a length of nothing", .fields = {{"content-length", "5"}}},
      {.what = ":protocol of a GET", .protocol = "websocket"},
      {.what = "a websocket without a path", .method = "CONNECT", .path = "", .end = false, .protocol = "websocket"},
      {.what = "a websocket without a scheme",
       .method = "CONNECT",
       .end = false,
       .scheme = "",
       .protocol = "websocket"},
      {.what = "a websocket without an authority",
       .method = "CONNECT",
       .end = false,
       .authority = "",
       .protocol = "websocket"},
      {.what = "a websocket to *", .method = "CONNECT", .path = "*", .end = false, .protocol = "websocket"},
  };
  for (const Request& r : malformed) {
    INFO(r.what);
    CHECK(result(r) == "malformed_request");
  }
  CHECK(result(Request{.method = "CONNECT", .path = "", .end = false, .scheme = ""}) == "not_implemented");
  CHECK(result(Request{.method = "CONNECT", .end = false, .protocol = "connect-udp"}) == "not_implemented");
  CHECK(result(Request{.method = "CONNECT", .end = false, .protocol = "WebSocket"}) == "not_implemented");
  CHECK(result(Request{.fields = {{"expect", "200-ok"}}, .end = false}) == "expectation_failed");
}

TEST_CASE("how long an h2 response is") {
  const std::vector<std::pair<Response, std::string>> cases = {
      {{.what = "no length"}, "open"},
      {{.what = "a length", .fields = {{"content-length", "5"}}}, "length 5, says 5"},
      {{.what = "the end", .end = true}, "length 0"},
      {{.what = "the end and 0", .end = true, .fields = {{"content-length", "0"}}}, "length 0, says 0"},
      {{.what = "205 is not special", .status = 205}, "open"},
      {{.what = "599", .status = 599, .end = true}, "length 0"},
      {{.what = "204", .status = 204, .end = true}, "none"},
      {{.what = "204 with a length", .status = 204, .end = true, .fields = {{"content-length", "5"}}}, "none"},
      {{.what = "304", .status = 304, .end = true}, "none"},
      {{.what = "304 with a length", .status = 304, .end = true, .fields = {{"content-length", "5"}}}, "none, says 5"},
      {{.what = "to HEAD", .end = true, .to_head = true}, "none"},
      {{.what = "to HEAD with a length", .end = true, .fields = {{"content-length", "5"}}, .to_head = true},
       "none, says 5"},
      {{.what = "204 to HEAD", .status = 204, .end = true, .fields = {{"content-length", "0"}}, .to_head = true},
       "none"},
      {{.what = "to HEAD, before its trailers", .fields = {{"content-length", "5"}}, .to_head = true}, "none, says 5"},
      {{.what = "100", .status = 100}, "none"},
      {{.what = "103", .status = 103, .fields = {{"link", "</a>"}}}, "none link=</a>;"},
      {{.what = "199 with a length", .status = 199, .fields = {{"content-length", "5"}}}, "none"},
      {{.what = "a tunnel", .status = 101, .upgrade = true}, "none"},
      {{.what = "fields of HTTP/1.1 connections",
        .fields = {{"connection", "x-a"},
                   {"x-a", "1"},
                   {"keep-alive", "timeout=5"},
                   {"transfer-encoding", "chunked"},
                   {"upgrade", "h2c"}}},
       "open"},
      {{.what = "101 of nobody", .status = 101}, "upstream_malformed"},
      {{.what = "no status", .status = 0}, "upstream_malformed"},
      {{.what = "99", .status = 99}, "upstream_malformed"},
      {{.what = "600", .status = 600}, "upstream_malformed"},
      {{.what = "two lengths", .fields = {{"content-length", "5"}, {"content-length", "5"}}}, "upstream_malformed"},
      {{.what = "lengths in a list", .fields = {{"content-length", "5,5"}}}, "upstream_malformed"},
      {{.what = "no number", .fields = {{"content-length", "five"}}}, "upstream_malformed"},
      {{.what = "no number to HEAD", .end = true, .fields = {{"content-length", "5x"}}, .to_head = true},
       "upstream_malformed"},
  };
  for (const auto& [response, expected] : cases) {
    INFO(response.what);
    CHECK(result(response) == expected);
  }
}

TEST_CASE("a malformed h2 request is a reset, whoever finds it") {
  REQUIRE(received(kGet) == "1 GET / end;");
  struct Case {
    const char* what;
    List fields;
    bool end = true;
  };
  const std::vector<Case> cases = {
      {"no :method", but(":method", "-")},
      {"no :scheme", but(":scheme", "-")},
      {"no :path", but(":path", "-")},
      {"no :authority", but(":authority", "-")},
      {"an empty :method", but(":method", "")},
      {"an empty :path", but(":path", "")},
      {"an empty :authority", but(":authority", "")},
      {"an empty block", {}},
      {":method twice", with({{":method", "GET"}})},
      {":path twice", with({{":path", "/"}})},
      {":authority twice", with({{":authority", "a.test"}})},
      {":status", with({{":status", "200"}})},
      {"a pseudo-field of no RFC", with({{":x", "1"}})},
      {":protocol of a GET", with({{":protocol", "websocket"}})},
      {"a pseudo-field behind a field",
       {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"x", "1"}, {":authority", "a.test"}}},
      {"upper case", with({{"X-A", "1"}})},
      {"upper case at the end", with({{"x-A", "1"}})},
      {"an upper-case pseudo-field", with(but(":path", "-"), {{":Path", "/"}})},
      {"an empty name", with({{"", "1"}})},
      {"a name with a colon", with({{"x:y", "1"}})},
      {"a name with CR LF", with({{"x\r\ny", "1"}})},
      {"a name with a high byte", with({{"x\xff", "1"}})},
      {"a value with CR", with({{"x", "a\rb"}})},
      {"a value with LF", with({{"x", "a\nb"}})},
      {"a value with NUL", with({{"x", std::string("a\0b", 3)}})},
      {"a value that begins with a space", with({{"x", " a"}})},
      {"a value that ends with a tab", with({{"x", "a\t"}})},
      {"connection", with({{"connection", "close"}})},
      {"keep-alive", with({{"keep-alive", "timeout=5"}})},
      {"proxy-connection", with({{"proxy-connection", "close"}})},
      {"transfer-encoding", with({{"transfer-encoding", "chunked"}}), false},
      {"upgrade", with({{"upgrade", "websocket"}})},
      {"te: gzip", with({{"te", "gzip"}})},
      {"te: trailers, gzip", with({{"te", "trailers, gzip"}})},
      {"another host", with({{"host", "b.test"}})},
      {"two hosts", with({{"host", "a.test"}, {"host", "a.test"}})},
      {"a length twice", with({{"content-length", "5"}, {"content-length", "5"}}), false},
      {"a length that is none", with({{"content-length", "-5"}}), false},
      {"a length of nothing", with({{"content-length", "5"}})},
      {"CONNECT with a path", but(":method", "CONNECT")},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    CHECK(received(c.fields, c.end) == "1 closed malformed_request;");
  }
}

TEST_CASE("an h2 request is as long as it says") {
  const List five = with({{"content-length", "5"}});
  CHECK(received(five, false, frame(0, 1, 1, "12345")) == "1 GET /;1 end;");
  CHECK(received(five, false, frame(0, 0, 1, "123") + frame(0, 1, 1, "45")) == "1 GET /;1 end;");
  CHECK(received(five, false,
                 frame(0, 8 | 1, 1,
                       std::string("\3"
                                   "12345\0\0\0",
                                   9))) == "1 GET /;1 end;");  // padded
  CHECK(received(five, false, frame(0, 1, 1, "1234")) == "1 GET /;1 closed malformed_request;");
  CHECK(received(five, false, frame(0, 1, 1, "123456")) == "1 GET /;1 closed malformed_request;");
  CHECK(received(five, false, frame(0, 0, 1, "123456")) == "1 GET /;1 closed malformed_request;");
  CHECK(received(five, false, frame(1, 5, 1, block({{"x", "y"}}))) == "1 GET /;1 closed malformed_request;");
  CHECK(received(with({{"content-length", "0"}}), false, frame(0, 1, 1, "")) == "1 GET /;1 end;");
}

TEST_CASE("h2 trailers are fields and nothing else") {
  auto trailers = [](const List& fields, int flags = 5) {
    return received(kGet, false, frame(0, 0, 1, "x") + frame(1, static_cast<std::uint8_t>(flags), 1, block(fields)));
  };
  CHECK(trailers({{"x-sum", "1"}}) == "1 GET /;1 end with  x-sum=[1]\n;");
  CHECK(trailers({}) == "1 GET /;1 end;");
  // RFC 9110 §6.5.1: those that frame, route or authenticate go no further.
  CHECK(trailers({{"host", "b.test"},
                  {"content-length", "1"},
                  {"authorization", "x"},
                  {"set-cookie", "a"},
                  {"content_length", "1"},
                  {"a_b", "1"}}) == "1 GET /;1 end with  a_b=[1]\n;");
  for (const List& bad : std::initializer_list<List>{{{":path", "/"}},
                                                     {{":status", "200"}},
                                                     {{"X", "1"}},
                                                     {{"connection", "close"}},
                                                     {{"transfer-encoding", "chunked"}},
                                                     {{"x", "a\nb"}}}) {
    INFO(bad[0].first);
    CHECK(trailers(bad) == "1 GET /;1 closed malformed_request;");
  }
  CHECK(trailers({{"x", "1"}}, 4) == "1 GET /;1 closed malformed_request;");  // and the stream goes on
}

TEST_CASE("an h2 CONNECT is answered, and a websocket is a GET") {
  CHECK(received({{":method", "CONNECT"}, {":authority", "a.test:443"}}, false) == "1 over not_implemented;");
  List tunnel = with(but(":method", "CONNECT"), {});
  tunnel.insert(tunnel.begin(), {":protocol", "websocket"});
  CHECK(received(tunnel, false) == "1 GET / upgrade;");
  tunnel[0].second = "connect-udp";
  CHECK(received(tunnel, false) == "1 over not_implemented;");
  tunnel[0].second = "";
  CHECK(received(tunnel, false) == "1 closed malformed_request;");
}

TEST_CASE("a malformed h2 response is a reset, whoever finds it") {
  const List ok = {{":status", "200"}};
  REQUIRE(answered(ok) == "1 200 end;1 closed;");
  struct Case {
    const char* what;
    List fields;
    bool end = true;
  };
  const std::vector<Case> cases = {
      {"no status", {{"x", "1"}}},
      {"an empty status", {{":status", ""}}},
      {"two statuses", {{":status", "200"}, {":status", "200"}}},
      {"two digits", {{":status", "20"}}},
      {"four digits", {{":status", "2000"}}},
      {"letters", {{":status", "2xx"}}},
      {"a sign", {{":status", "+20"}}},
      {"a reason", {{":status", "200 OK"}}},
      {"000", {{":status", "000"}}},
      {"099", {{":status", "099"}}},
      {"600", {{":status", "600"}}},
      {"101", {{":status", "101"}}, false},
      {"100 and the end", {{":status", "100"}}},
      {"103 with a length", {{":status", "103"}, {"content-length", "5"}}, false},
      {"204 with a length", {{":status", "204"}, {"content-length", "5"}}},
      {"a length of nothing", with(ok, {{"content-length", "5"}})},
      {"a length twice", with(ok, {{"content-length", "0"}, {"content-length", "0"}})},
      {"a status behind a field", {{"x", "1"}, {":status", "200"}}},
      {":path", with(ok, {{":path", "/"}})},
      {"upper case", with(ok, {{"X", "1"}})},
      {"connection", with(ok, {{"connection", "close"}})},
      {"transfer-encoding", with(ok, {{"transfer-encoding", "chunked"}})},
      {"a value with LF", with(ok, {{"x", "a\nb: c"}})},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    std::string heard = answered(c.fields, c.end);
    CHECK(heard == "1 closed upstream_malformed;");
  }
}

TEST_CASE("an h2 response is as long as it says, and none where none can be") {
  const List five = {{":status", "200"}, {"content-length", "5"}};
  CHECK(answered(five, false, frame(0, 1, 1, "12345")) == "1 200;1 end;1 closed;");
  CHECK(answered(five, false, frame(0, 1, 1, "1234")) == "1 200;1 closed upstream_truncated;");
  CHECK(answered(five, false, frame(0, 0, 1, "123456")) == "1 200;1 closed upstream_truncated;");
  CHECK(answered(five, true, {}, Method::kHead) == "1 200 end;1 closed;");
  CHECK(answered({{":status", "304"}, {"content-length", "5"}}) == "1 304 end;1 closed;");
  CHECK(answered({{":status", "204"}, {"content-length", "0"}}) == "1 204 end;1 closed;");
  for (const char* status : {"204", "304"}) {
    CHECK(answered({{":status", status}}, false, frame(0, 1, 1, "x")) ==
          "1 " + std::string(status) + ";1 closed upstream_truncated;");
    CHECK(answered({{":status", status}}, false, frame(0, 1, 1, "")) ==
          "1 " + std::string(status) + ";1 end;1 closed;");
  }
  CHECK(answered({{":status", "200"}}, false, frame(0, 1, 1, "x"), Method::kHead) ==
        "1 200;1 closed upstream_truncated;");
  const std::string final = frame(1, 5, 1, block({{":status", "200"}}));
  CHECK(answered({{":status", "103"}}, false, final) == "1 103;1 200 end;1 closed;");
  CHECK(answered({{":status", "103"}}, false, frame(0, 1, 1, "x")) == "1 103;1 closed upstream_malformed;");
  CHECK(answered({{":status", "200"}}, false, final) == "1 200;1 closed upstream_truncated;");
}

}  // namespace albatross::http_test
