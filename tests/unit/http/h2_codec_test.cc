// A client's and a server's codec talk to each other: messages, windows, resets, GOAWAY, and what is refused.
#include <catch2/catch_test_macros.hpp>

#include "tests/unit/http/h2_pair.h"

namespace albatross::http_test {
namespace {

struct Pair {
  explicit Pair(const H2Settings& settings = {})
      : client(Role::kClient, {}, settings), server(Role::kServer, {}, settings) {
    talk(client, server);
  }
  void talk_all(std::size_t piece = 1 << 20) { talk(client, server, piece); }
  H2End client, server;
};

}  // namespace

TEST_CASE("an h2 exchange is the same however its bytes are cut") {
  for (std::size_t piece : {std::size_t{1} << 20, std::size_t{1}, std::size_t{7}}) {
    Pair p;
    p.server.when_end = [&](WireStream& s) {
      Head h = p.server.response(200);
      h.fields.add("X-Upper", "v");
      h.body = {BodyLength::Kind::kLength, 5};
      p.server.send_head(s, h, false);
      p.server.send_data(s, "world");
      p.server.send_end(s);
    };
    Head h = p.client.get("/x?y");
    h.method_text = "POST";
    h.method = Method::kPost;
    h.body = {BodyLength::Kind::kLength, 5};
    WireStream& s = p.client.request(h, false);
    p.client.send_data(s, "hello");
    p.client.send_end(s);
    p.talk_all(piece);
    CHECK(p.server.heard() == "1 POST /x?y;1 end;1 closed;");
    CHECK(p.server.last.authority == "a.test");
    CHECK(p.server.last.version == Version::kHttp2);
    CHECK(p.server.last.body == BodyLength{BodyLength::Kind::kLength, 5});
    CHECK(p.server.body == "hello");
    CHECK(p.client.heard() == "1 200;1 end;1 closed;");
    CHECK(p.client.body == "world");
    CHECK(p.client.last.fields.find("x-upper")->name() == "x-upper");
  }
}

TEST_CASE("an h2 message has trailers, informational heads and answers without a body") {
  Pair p;
  p.server.when_head = [&](WireStream& s, Head& head, bool) {
    if (head.target == "/head") {
      Head h = p.server.response(200);
      h.declared_length = 77;
      return p.server.send_head(s, h, true);
    }
    p.server.send_head(s, p.server.response(103), false);
    p.server.send_head(s, p.server.response(200), false);
    p.server.send_data(s, "x");
    Fields trailers(p.server.arena);
    trailers.add(HeaderId::kGrpcStatus, "grpc-status", "0");
    p.server.send_end(s, &trailers);
  };
  p.client.request(p.client.get(), true);
  p.talk_all();
  CHECK(p.client.heard() == "1 103;1 200;1 end with  grpc-status=[0]\n;1 closed;");
  Head h = p.client.get("/head");
  h.method_text = "HEAD";
  h.method = Method::kHead;
  p.client.request(h, true);
  p.talk_all();
  CHECK(p.client.heard() == "3 200 end;3 closed;");
  CHECK(p.client.last.declared_length == 77);
}

TEST_CASE("an h2 stream whose data is not consumed closes its own window only") {
  H2Settings settings;
  settings.stream_window = 64 * 1024;
  Pair p(settings);
  p.server.consume = false;
  std::string data(1024 * 1024, 'd');
  Head h = p.client.get();
  h.body.kind = BodyLength::Kind::kChunked;
  WireStream& slow = p.client.request(h, false);
  p.client.send_data(slow, data);
  p.client.send_end(slow);
  p.talk_all();
  CHECK(p.server.received == settings.stream_window);
  CHECK(slow.held() == data.size() - settings.stream_window);
  p.server.consume = true;
  WireStream& other = p.client.request(h, false);
  p.client.send_data(other, data);
  p.client.send_end(other);
  p.talk_all();
  CHECK(p.server.received == settings.stream_window + data.size());
  CHECK(other.held() == 0);
  // Credit lets the first go on, to the byte.
  p.server.codec.consume(*p.server.streams[0], settings.stream_window);
  p.talk_all();
  CHECK(p.server.received == 2 * data.size());
  CHECK(slow.held() == 0);
}

TEST_CASE("an answer before the whole request asks the client to stop, after a while") {
  Pair p;
  p.server.when_head = [&](WireStream& s, Head&, bool) { p.server.send_head(s, p.server.response(403), true); };
  Head h = p.client.get();
  h.body.kind = BodyLength::Kind::kChunked;
  WireStream& s = p.client.request(h, false);
  p.talk_all();
  CHECK(p.server.heard() == "1 GET /;1 closed;");
  CHECK(p.client.heard() == "1 403 end;");
  // 64 KiB are read and dropped; then it is a reset without an error.
  std::string part(4000, 'x');
  for (int i = 0; i < 40 && !s.closed; ++i) {
    p.client.send_data(s, part);
    p.talk_all();
  }
  CHECK(p.client.heard() == "1 closed;");
  CHECK(p.server.heard() == "");
}

TEST_CASE("a stream that is abandoned is reset, and says so to the other side") {
  Pair p;
  WireStream& s = p.client.request(p.client.get(), true);
  p.talk_all();
  p.client.codec.abandon(s);
  p.talk_all();
  CHECK(p.server.heard() == "1 GET / end;1 closed client_left;");
  p.client.request(p.client.get(), true);
  p.talk_all();
  p.client.heard();
  p.server.codec.abandon(*p.server.streams.back());
  p.talk_all();
  CHECK(p.client.heard() == "3 closed upstream_reset;");
}

TEST_CASE("streams above the last one of a GOAWAY are safe to repeat") {
  Pair p;
  p.client.request(p.client.get(), true);
  p.talk_all();
  // Both cross on the wire.
  p.server.codec.announce_goaway();
  p.server.codec.finish_goaway();
  std::string goaway = p.server.said();
  p.client.request(p.client.get(), true);
  std::string late = p.client.said();
  CHECK(p.client.codec.max_streams() > 0);
  p.client.hear(goaway);
  p.server.hear(late);
  CHECK(p.client.codec.max_streams() == 0);
  CHECK(p.client.heard() == "3 closed upstream_reset safe;");
  p.server.send_head(*p.server.streams[0], p.server.response(200), true);
  p.talk_all();
  CHECK(p.client.heard() == "1 200 end;1 closed;");
  CHECK(p.server.codec.over());
}

TEST_CASE("more streams than are allowed are refused, and safe to repeat") {
  H2Settings few;
  few.max_streams = 2;
  H2End client(Role::kClient), server(Role::kServer, {}, few);
  // Before the client knows.
  for (int i = 0; i < 3; ++i) client.request(client.get(), true);
  talk(client, server);
  CHECK(server.heard() == "1 GET / end;3 GET / end;");
  CHECK(client.heard() == "5 closed upstream_reset refused;");
  CHECK(client.codec.max_streams() == 2);
}

TEST_CASE("an extended CONNECT reads and writes as an upgrade") {
  Pair p;
  CHECK(p.client.codec.takes_tunnels());
  p.server.when_head = [&](WireStream& s, Head& h, bool end) {
    CHECK(h.upgrade);
    CHECK_FALSE(end);
    CHECK(h.method == Method::kGet);
    Head answer = p.server.response(101);
    answer.fields.add(HeaderId::kSecWebsocketAccept, "sec-websocket-accept", "x");
    p.server.send_head(s, answer, false);
    p.server.codec.start_tunnel(s);
    p.server.send_data(s, "from the server");
  };
  Head h = p.client.get("/ws");
  h.upgrade = true;
  h.fields.add(HeaderId::kSecWebsocketKey, "Sec-WebSocket-Key", "k");
  WireStream& s = p.client.request(h, true);
  p.talk_all();
  CHECK(p.client.last.status == 101);
  CHECK(p.client.last.fields.find(HeaderId::kSecWebsocketAccept) == nullptr);
  CHECK(p.server.last.fields.find(HeaderId::kSecWebsocketKey) == nullptr);
  CHECK(p.client.body == "from the server");
  p.client.heard();
  p.client.codec.start_tunnel(s);
  p.client.send_data(s, "and back");
  p.client.send_end(s);
  p.talk_all();
  CHECK(p.server.body == "and back");
  CHECK(p.server.heard() == "1 GET /ws upgrade;1 end;");
  p.server.send_end(*p.server.streams[0]);
  p.talk_all();
  CHECK(p.client.heard() == "1 end;1 closed;");
  CHECK(p.server.heard() == "1 closed;");
}

TEST_CASE("cookie crumbs are one field and count as one") {
  HeadLimits limits;
  limits.fields = 3;
  H2End client(Role::kClient), server(Role::kServer, limits);
  Head h = client.get();
  for (const char* c : {"a=1", "b=2", "c=3", "d=4"}) h.fields.add(HeaderId::kCookie, "cookie", c);
  client.request(h, true);
  talk(client, server);
  CHECK(server.last.fields.value(HeaderId::kCookie) == "a=1; b=2; c=3; d=4");
  CHECK(server.last.fields.count(HeaderId::kCookie) == 1);
}

TEST_CASE("an h2 head over a limit is told as such, and the connection goes on") {
  HeadLimits limits{1000, 100, 5};
  H2End client(Role::kClient), server(Role::kServer, limits);
  server.heard();
  Head many = client.get();
  for (int i = 0; i < 6; ++i) many.fields.add("x-f", "v");
  client.request(many, true);
  Head large = client.get();
  std::string value(2000, 'v');
  large.fields.add("x-large", value);
  client.request(large, true);
  std::string path = "/" + std::string(150, 'p');
  client.request(client.get(path), true);
  client.request(client.get(), true);
  talk(client, server);
  CHECK(server.heard() == "1 over head_too_large;3 over head_too_large;5 over target_too_long;7 GET / end;");
}

TEST_CASE("what a stream may not carry resets it, and its siblings go on") {
  struct Case {
    const char* what;
    std::function<void(Head&)> spoil;
  };
  const std::vector<Case> cases = {
      {"a path that is a URL", [](Head& h) { h.path = "http://b.test/"; }},
      {"a path with a fragment", [](Head& h) { h.path = "/a#b"; }},
      {"a path with a space", [](Head& h) { h.path = "/a b"; }},
      {"a high byte in the path", [](Head& h) { h.path = "/\xc3"; }},
      {"* for GET", [](Head& h) { h.path = "*"; }},
      {"userinfo", [](Head& h) { h.authority = "u@a.test"; }},
      {"another scheme", [](Head& h) { h.scheme = "ftp"; }},
      {"a method that is no token", [](Head& h) { h.method_text = "GE T"; }},
      {"te that asks for more", [](Head& h) { h.fields.add(HeaderId::kTe, "te", "gzip"); }},
      {"a name with a space", [](Head& h) { h.fields.add("a b", "v"); }},
      {"a value with LF", [](Head& h) { h.fields.add("x", "a\nb"); }},
      {"a value with NUL", [](Head& h) { h.fields.add("x", std::string_view("a\0b", 3)); }},
      {"content-length without a body",
       [](Head& h) {
         h.body = {BodyLength::Kind::kLength, 3};
       }},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Pair p;
    Head h = p.client.get();
    c.spoil(h);
    p.client.request(h, true);
    p.client.request(p.client.get("/good"), true);
    p.talk_all();
    CHECK(p.server.heard() == "3 GET /good end;1 closed malformed_request;");
    CHECK(p.client.heard().starts_with("1 closed upstream_reset;"));
  }
}

TEST_CASE("a peer that floods is told to calm down") {
  struct Case {
    const char* what;
    std::function<std::string(std::uint32_t)> one;
  };
  const std::vector<Case> cases = {
      {"PING", [](std::uint32_t) { return frame(6, 0, 0, "12345678"); }},
      {"SETTINGS", [](std::uint32_t) { return frame(4, 0, 0, ""); }},
      {"PRIORITY", [](std::uint32_t i) { return frame(2, 0, 2 * i + 1, std::string("\0\0\0\0\1", 5)); }},
      {"empty DATA", [](std::uint32_t) { return frame(0, 0, 1, ""); }},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Pair p;
    Head h = p.client.get();
    h.body.kind = BodyLength::Kind::kChunked;
    p.client.request(h, false);
    p.talk_all();
    std::uint32_t n = 0;
    while (n < 20'000 && p.server.codec.failure().cause == Cause::kNone) {
      p.server.hear(c.one(n++));
      p.server.said();
    }
    CHECK(n < 2000);
    CHECK(p.server.codec.failure().cause == Cause::kFlood);
  }
}

TEST_CASE("a rapid reset ends the connection") {
  Pair p;
  std::uint32_t n = 0;
  while (n < 20'000 && p.server.codec.failure().cause == Cause::kNone) {
    WireStream& s = p.client.request(p.client.get(), true);
    p.server.hear(p.client.said());
    p.client.codec.abandon(s);
    p.server.hear(p.client.said());
    p.server.said();
    ++n;
  }
  CHECK(n < 1100);
  CHECK(p.server.codec.failure().cause == Cause::kFlood);
  // By and by a client may reset as many as it likes.
  Pair q;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    q.server.codec.set_time(kSecond + i * 10 * kMilli);
    WireStream& s = q.client.request(q.client.get(), true);
    q.server.hear(q.client.said());
    q.client.codec.abandon(s);
    q.server.hear(q.client.said());
    q.client.hear(q.server.said());
  }
  CHECK(q.server.codec.failure().cause == Cause::kNone);
}

TEST_CASE("a broken connection names its reason") {
  Pair p;
  p.server.hear(frame(0, 0, 0, "data on the connection"));
  p.server.said();
  CHECK(p.server.codec.failure().cause == Cause::kProtocolError);
  CHECK(std::string(p.server.codec.failure().detail) != "");
  // A server that talks nonsense.
  Pair q;
  q.client.hear("HTTP/1.1 400 Bad Request\r\n\r\n");
  q.client.said();
  CHECK(q.client.codec.failure().cause == Cause::kProtocolError);
}

TEST_CASE("a stream identifier below an earlier one is an error of the connection") {
  Pair p;
  // :method GET, :scheme https, :path /, :authority indexed names and one literal
  const std::string block = std::string("\x82\x87\x84\x41\x01") + "a";
  p.server.hear(frame(1, 5, 5, block));
  CHECK(p.server.heard() == "5 GET / end;");
  p.server.hear(frame(1, 5, 3, block));
  p.server.said();
  CHECK(p.server.codec.failure().cause == Cause::kProtocolError);
}

}  // namespace albatross::http_test
