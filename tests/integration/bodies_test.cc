// Large bodies, slow ends, early answers: streaming with bounded memory.
#include <thread>

#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/memory.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

constexpr std::size_t kBig = 64U << 20;
constexpr std::size_t kPiece = 1U << 20;
constexpr std::size_t kBound = 8U << 20;

// A body whose every byte depends on its place.
std::string piece(std::size_t at, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + (at + i + (at + i) / 65'521) % 26);
  return out;
}

// Checks what comes against piece(), holding little of it.
class Checker {
 public:
  void feed(std::string_view bytes) {
    good_ = good_ && bytes == piece(at_, bytes.size());
    at_ += bytes.size();
  }
  std::size_t size() const { return at_; }
  bool good() const { return good_; }

 private:
  std::size_t at_ = 0;
  bool good_ = true;
};

// Sends until the whole of it has gone or the peer takes no more for a while.
std::size_t send_until_stuck(int fd, std::size_t from, std::size_t total) {
  std::size_t at = from;
  std::string part;
  while (at < total) {
    part = piece(at, std::min(kPiece, total - at));
    for (std::size_t sent = 0; sent < part.size();) {
      const std::size_t n = send_now(fd, std::string_view(part).substr(sent));
      sent += n;
      at += n;
      pollfd p{fd, POLLOUT, 0};
      if (n == 0 && ::poll(&p, 1, 300) == 0) return at;
    }
  }
  return at;
}

}  // namespace

TEST_CASE("a large upload goes through byte by byte the same, a stalled server costs no memory", "[bodies]") {
  const bool chunked = GENERATE(false, true);
  std::atomic<bool> go{false};
  std::atomic<std::size_t> got{0};
  std::atomic<bool> good{false};
  FakeUpstream up([&](FakeConnection& c) {
    const std::string head = c.read_head();
    if (!eventually([&] { return go.load(); })) return;
    if (chunked) {  // this one answers early and goes, unread
      c.respond(200, "early");
      return;
    }
    Checker checker;
    while (checker.size() < kBig) {
      checker.feed(c.read_some());
      got = checker.size();
    }
    good = checker.good();
    c.respond(200, "done");
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  const std::size_t before = resident_bytes();
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
  if (chunked) {
    client.send(head + "Transfer-Encoding: chunked\r\n\r\n4000000\r\n");
  } else {
    client.send(head + "Content-Length: " + std::to_string(kBig) + "\r\n\r\n");
  }
  const std::size_t stuck = send_until_stuck(client.channel().descriptor(), 0, kBig);
  CHECK(stuck < kBig);
  if (!kSanitized) CHECK(resident_bytes() < before + kBound);
  go = true;
  if (chunked) {
    CHECK(client.read_response().body == "early");
    return;
  }
  std::thread sender([&] { send_until_stuck(client.channel().descriptor(), stuck, kBig); });
  CHECK(client.read_response().body == "done");
  sender.join();
  CHECK(got == kBig);
  CHECK(good);
  if (!kSanitized) CHECK(resident_bytes() < before + kBound);
  CHECK(client.stays_silent(Ms(10)));
}

TEST_CASE("a large download goes through byte by byte the same, a stalled client costs no memory", "[bodies]") {
  const std::string framing = GENERATE(std::string("length"), std::string("chunked"), std::string("close"));
  std::atomic<std::size_t> sent{0};
  FakeUpstream up([&](FakeConnection& c) {
    c.read_request();
    if (framing == "length") c.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kBig) + "\r\n\r\n");
    if (framing == "chunked") c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (framing == "close") c.write("HTTP/1.1 200 OK\r\n\r\n");
    for (std::size_t at = 0; at < kBig; at += kPiece) {
      if (framing == "chunked") c.write("100000\r\n");
      c.write(piece(at, kPiece));
      if (framing == "chunked") c.write("\r\n");
      sent = at + kPiece;
    }
    if (framing == "chunked") c.write("0\r\n\r\n");
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  const std::size_t before = resident_bytes();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string head = lower_case(client.read_until("\r\n\r\n"));
  // The server gets stuck when nobody reads.
  std::size_t last = ~std::size_t{0};
  CHECK(eventually([&] {
    const std::size_t now = sent;
    ::poll(nullptr, 0, 200);
    return std::exchange(last, now) == now;
  }));
  CHECK(sent < kBig);
  if (!kSanitized) CHECK(resident_bytes() < before + kBound);
  Checker checker;
  if (framing == "length") {
    while (checker.size() < kBig) checker.feed(client.read_exact(std::min<std::size_t>(65'536, kBig - checker.size())));
  } else {
    CHECK(head.find("transfer-encoding: chunked") != std::string::npos);
    for (;;) {
      const std::string line = client.read_until("\r\n");
      const std::size_t size = std::stoull(line, nullptr, 16);
      if (size == 0) break;
      checker.feed(client.read_exact(size));
      CHECK(client.read_exact(2) == "\r\n");
    }
    CHECK(client.read_exact(2) == "\r\n");
  }
  CHECK(checker.size() == kBig);
  CHECK(checker.good());
  if (!kSanitized) CHECK(resident_bytes() < before + kBound);
}

TEST_CASE("both bodies may flow at once", "[bodies]") {
  constexpr std::size_t kSize = 8U << 20;
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    for (std::size_t at = 0; at < kSize;) {
      const std::string bytes = c.read_some();
      if (bytes.empty()) return;
      c.write(bytes);
      at += bytes.size();
    }
    c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  std::thread sender([&] { send_all(client.channel().descriptor(), piece(0, kSize), Deadline()); });
  client.read_until("\r\n\r\n");
  Checker checker;
  while (checker.size() < kSize) checker.feed(client.read_exact(std::min<std::size_t>(65'536, kSize - checker.size())));
  sender.join();
  CHECK(checker.good());
}

TEST_CASE("an answer before the body's end reaches the client, and the rest is no request", "[bodies]") {
  const bool server_closes = GENERATE(true, false);
  FakeUpstream up([=](FakeConnection& c) {
    const std::string head = c.read_head();
    if (head.starts_with("GET")) {
      c.respond(200, "next");
      return;
    }
    c.respond(401, "no");
    if (!server_closes) c.wait_for_close();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  Client client(proxy.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
  const Message answer = client.read_response();
  CHECK(answer.status() == 401);
  CHECK(answer.body == "no");
  client.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
  if (lower_case(answer.get("connection")) == "close") CHECK(client.ends());
  CHECK(up.received().find("GET /smuggled HTTP/1.1\r\nHost: a\r\nX-") == std::string::npos);
  Client next(proxy.port());
  CHECK(next.get("/").body == "next");
}

TEST_CASE("a server that answers and closes while the client still sends is heard", "[bodies]") {
  FakeUpstream up([](FakeConnection& c) {
    c.read_head();
    c.respond(413, "too much", "Connection: close\r\n");
    c.reset();
  });
  TestProxy proxy(Setup{.servers = {up.address()}});
  int heard = 0;
  for (int i = 0; i < 10; ++i) {
    Client client(proxy.port());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    std::thread sender([&] { send_all(client.channel().descriptor(), piece(0, 4U << 20), Deadline(Ms(3000))); });
    try {
      const int status = client.read_response().status();
      CHECK((status == 413 || status == 502));
      heard += status == 413 ? 1 : 0;
    } catch (const Failure& e) {
      FAIL_CHECK(e.what());
    }
    client.close();
    sender.join();
  }
}

TEST_CASE("a body over the rule's limit is a 413", "[bodies]") {
  FakeUpstream up;
  TestProxy proxy(Setup{.servers = {up.address()},
                        .listener = "limits: {body: 1KiB}\n"
                                    "rules:\n"
                                    "  - {name: more, priority: 1, conditions: [{path: [/more]}], limits: {body: "
                                    "4KiB}, actions: [{forward: app}]}"});
  auto status = [&](const std::string& path, const std::string& framing, const std::string& body) {
    Client client(proxy.port());
    client.send("POST " + path + " HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n\r\n" + body);
    const Message answer = client.read_response();
    if (answer.status() == 413) CHECK(client.ends());
    return answer.status();
  };
  CHECK(status("/", "Content-Length: 1024", std::string(1024, 'x')) == 200);
  CHECK(status("/", "Content-Length: 1025", std::string(1025, 'x')) == 413);
  CHECK(status("/", "Content-Length: 1000000", "") == 413);
  CHECK(status("/", "Transfer-Encoding: chunked", "401\r\n" + std::string(1025, 'x') + "\r\n0\r\n\r\n") == 413);
  CHECK(status("/", "Transfer-Encoding: chunked", "400\r\n" + std::string(1024, 'x') + "\r\n0\r\n\r\n") == 200);
  CHECK(status("/more", "Content-Length: 4096", std::string(4096, 'x')) == 200);
  CHECK(status("/more", "Content-Length: 4097", std::string(4097, 'x')) == 413);
}
