// What goes out is rebuilt from the parts, and means the same when it is read again.
#include <catch2/catch_test_macros.hpp>

#include "http/h1/write.h"
#include "tests/unit/http/codec_recorder.h"

namespace albatross::http_test {
namespace {

const HeadLimits kLimits;

struct Wire {
  BlockPool pool;
  OutputScratch scratch;
  Output out{pool, scratch};
  std::string text() const {
    iovec parts[16];
    int n = out.peek(parts, 16);
    std::string all;
    for (int i = 0; i < n; ++i) all.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    return all;
  }
};

struct Message {
  Arena arena;
  Head head;
  Message() { head.fields = Fields(arena); }
};

std::string request_text(const Head& h) {
  Wire w;
  write_request_head(h, w.out);
  return w.text();
}
std::string response_text(const Head& h) {
  Wire w;
  write_response_head(h, w.out);
  return w.text();
}

struct Get : Message {
  Get() {
    head.method_text = "GET";
    head.path = "/p";
    head.authority = "a:80";
  }
};

// Reads a head back into an arena, as the codec would.
class Reader final : public CodecSink {
 public:
  WireStream& on_begin(StreamId) override { return fresh_stream(); }
  Arena& arena_of(WireStream&) override { return arena; }
  void on_head(WireStream&, Head& h, bool) override { head = h; }
  void on_data(WireStream&, std::string_view) override {}
  void on_end(WireStream&, Fields*) override {}
  Arena arena;
  Head head;
};

}  // namespace

TEST_CASE("a request has one host, one framing field and nothing of the last hop") {
  Message m;
  m.head.method_text = "POST";
  m.head.path = "/p";
  m.head.has_query = true;
  m.head.query = "q=1";
  m.head.authority = "a:80";
  m.head.body = {BodyLength::Kind::kLength, 5};
  for (const char* name :
       {"Host", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Proxy-Connection"})
    m.head.fields.add(name, "evil");
  m.head.fields.add("X-A", "1");
  m.head.fields.add("Gone", "1");
  m.head.fields.remove("gone");
  CHECK(request_text(m.head) == "POST /p?q=1 HTTP/1.1\r\nHost: a:80\r\nX-A: 1\r\nContent-Length: 5\r\n\r\n");
  m.head.body = {BodyLength::Kind::kChunked, 0};
  m.head.query = "";
  CHECK(request_text(m.head) == "POST /p? HTTP/1.1\r\nHost: a:80\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("a request says close and upgrade when it means them") {
  Get m;
  CHECK(request_text(m.head) == "GET /p HTTP/1.1\r\nHost: a:80\r\n\r\n");
  m.head.keep_alive = false;
  CHECK(request_text(m.head) == "GET /p HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n");
  m.head.upgrade = true;
  CHECK(request_text(m.head) == "GET /p HTTP/1.1\r\nHost: a:80\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("a request that names no host has an empty one") {
  Get m;
  m.head.authority = {};
  CHECK(request_text(m.head) == "GET /p HTTP/1.1\r\nHost: \r\n\r\n");  // RFC 9112 §3.2
}

TEST_CASE("a response has one framing field") {
  Message m;
  m.head.status = 200;
  m.head.body = {BodyLength::Kind::kLength, INT64_MAX};
  m.head.fields.add("Content-Length", "5");
  m.head.fields.add("X", "y");
  CHECK(response_text(m.head) == "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 9223372036854775807\r\n\r\n");
  m.head.body = {BodyLength::Kind::kChunked, 0};
  m.head.keep_alive = false;
  m.head.reason = "Fine";
  CHECK(response_text(m.head) ==
        "HTTP/1.1 200 Fine\r\nX: y\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  m.head.body = {BodyLength::Kind::kUntilClose, 0};
  CHECK(response_text(m.head) == "HTTP/1.1 200 Fine\r\nX: y\r\nConnection: close\r\n\r\n");
}

TEST_CASE("a response without a body may say how long it would be") {
  Message m;
  m.head.status = 304;
  CHECK(response_text(m.head) == "HTTP/1.1 304 Not Modified\r\n\r\n");
  m.head.declared_length = 7;
  CHECK(response_text(m.head) == "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
  m.head.version = Version::kHttp10;
  CHECK(response_text(m.head) == "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("informational responses have neither framing nor connection fields") {
  Message m;
  m.head.status = 103;
  m.head.body = {BodyLength::Kind::kLength, 5};
  m.head.keep_alive = false;
  m.head.fields.add("link", "</x>");
  CHECK(response_text(m.head) == "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
  m.head.status = 101;
  CHECK(response_text(m.head) ==
        "HTTP/1.1 101 Switching Protocols\r\nlink: </x>\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("chunks are framed in hexadecimal") {
  Wire w;
  H1Codec codec(Role::kServer, kLimits);
  Message m;
  m.head.status = 200;
  m.head.body = {BodyLength::Kind::kChunked, 0};
  std::string data(300, 'x');
  codec.send_head(fresh_stream(), m.head, false, w.out);
  codec.send_data(one_stream(), data, w.out);
  codec.send_data(one_stream(), {}, w.out);
  codec.send_data(one_stream(), "y", w.out);
  Fields trailers(m.arena);
  trailers.add("grpc-status", "0");
  trailers.add("Content-Length", "evil");
  codec.send_end(one_stream(), &trailers, w.out);
  CHECK(w.text() == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12c\r\n" + data +
                        "\r\n1\r\ny\r\n0\r\ngrpc-status: 0\r\n\r\n");
}

TEST_CASE("bodies with a length and answers to HEAD are not chunked") {
  Wire w;
  H1Codec codec(Role::kServer, kLimits);
  Message m;
  m.head.status = 200;
  m.head.body = {BodyLength::Kind::kLength, 2};
  codec.send_head(fresh_stream(), m.head, false, w.out);
  codec.send_data(one_stream(), "hi", w.out);
  codec.send_end(one_stream(), nullptr, w.out);
  CHECK(w.text() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  w.out.clear();
  m.head.body = {BodyLength::Kind::kChunked, 0};
  codec.send_head(fresh_stream(), m.head, true, w.out);
  CHECK(w.text() == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("what is read and written again means the same") {
  for (std::string bytes :
       {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /x?y HTTP/1.1\r\nHost: [::1]:80\r\nX: \xff y\t z \r\nx:\r\nCookie: a=b\r\n\r\n",
        "POST /x? HTTP/1.1\r\nConnection: X-A\r\nX-A: b\r\nContent-Length: 5\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "PUT //x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET http://A/x HTTP/1.1\r\nHost: a\r\nTE: gzip, trailers\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"}) {
    CAPTURE(bytes);
    Reader first, second;
    H1Codec one(Role::kServer, kLimits), two(Role::kServer, kLimits);
    REQUIRE(one.feed(bytes, first).cause == Cause::kNone);
    std::string again = request_text(first.head);
    CAPTURE(again);
    REQUIRE(two.feed(again, second).cause == Cause::kNone);
    first.head.target = second.head.target = {};
    first.head.wire_size = second.head.wire_size = 0;
    CHECK(described(second.head) == described(first.head));
    CHECK(request_text(second.head) == again);
  }
}

}  // namespace albatross::http_test
