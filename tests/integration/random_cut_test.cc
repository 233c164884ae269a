// Exchanges whose bytes are cut, delayed, half-closed or reset at any place, on either side. Whatever happens: every
// connection ends before its deadline, a complete answer is byte by byte the right one, a request that arrives is
// whole, and the next client gets its own answer.
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/test_proxy.h"

using namespace albatross::test;

namespace {

enum class Fault { kNone, kStall, kHalfClose, kClose, kReset };

// What one side does with its bytes: writes them in pieces, and at `at` the fault happens.
struct Conduct {
  Fault fault = Fault::kNone;
  std::size_t at = 0;
  std::size_t piece = 1 << 20;
  bool pauses = false;
};

struct Plan {
  std::string request;
  std::string request_body;
  std::string response;
  std::string response_body;
  bool closes = false;  // the response ends with its connection
  Conduct client;
  Conduct server;
  bool faulty() const { return client.fault != Fault::kNone || server.fault != Fault::kNone; }
};

std::string text_of(std::size_t id, std::size_t size, char first) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(first + static_cast<char>((id * 7 + i) % 26));
  return out;
}

std::string in_chunks(const std::string& body, std::size_t each) {
  std::ostringstream out;
  for (std::size_t at = 0; at < body.size(); at += each) {
    const std::string part = body.substr(at, each);
    out << std::hex << part.size() << "\r\n" << part << "\r\n";
  }
  out << "0\r\nX-T: 1\r\n\r\n";
  return out.str();
}

enum class Framing { kNone, kLength, kChunked, kClose };

Plan plan_of(std::size_t id, Framing in, std::size_t in_size, Framing out, std::size_t out_size) {
  Plan p;
  const std::string target = "/x/" + std::to_string(id);
  if (in == Framing::kNone) in_size = 0;
  p.request_body = text_of(id, in_size, 'a');
  p.request = (in == Framing::kNone ? "GET " : "POST ") + target + " HTTP/1.1\r\nHost: a\r\n";
  if (in == Framing::kLength) p.request += "Content-Length: " + std::to_string(in_size) + "\r\n\r\n" + p.request_body;
  if (in == Framing::kChunked) p.request += "Transfer-Encoding: chunked\r\n\r\n" + in_chunks(p.request_body, 97);
  if (in == Framing::kNone) p.request += "\r\n";
  p.response_body = text_of(id, out_size, 'A');
  p.response = "HTTP/1.1 200 OK\r\nX-Id: " + std::to_string(id) + "\r\n";
  if (out == Framing::kClose) p.response += "\r\n" + p.response_body;
  if (out == Framing::kLength)
    p.response += "Content-Length: " + std::to_string(out_size) + "\r\n\r\n" + p.response_body;
  if (out == Framing::kChunked) p.response += "Transfer-Encoding: chunked\r\n\r\n" + in_chunks(p.response_body, 61);
  p.closes = out == Framing::kClose;
  return p;
}

class Bed {
 public:
  explicit Bed(std::vector<Plan> plans)
      : plans_(std::move(plans)),
        upstream_([this](FakeConnection& c) { serve(c); }),
        proxy_(Setup{
            .servers = {upstream_.address()},
            .listener =
                "timeouts: {idle: 1s, request_head: 400ms, request_body: 400ms, response: 1s, send: 400ms, total: 2s}",
            .workers = 2,
            .log = false}) {}

  // Runs all of them, `width` at a time, and returns what went wrong.
  std::vector<std::string> run(std::size_t width) {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < width; ++i) {
      threads.emplace_back([&] {
        for (std::size_t id = next++; id < plans_.size(); id = next++) one(id);
      });
    }
    for (std::thread& t : threads) t.join();
    return wrong_;
  }
  // Exchanges that ended with the whole answer.
  int whole() const { return whole_.load(); }

 private:
  void complain(std::size_t id, const std::string& what) {
    const Plan& p = plans_[id];
    auto side = [](const Conduct& s) {
      return "fault " + std::to_string(static_cast<int>(s.fault)) + " at " + std::to_string(s.at) + " pieces of " +
             std::to_string(s.piece);
    };
    std::lock_guard lock(lock_);
    if (wrong_.size() < 10) {
      wrong_.push_back(std::to_string(id) + ": " + what + "\n  client: " + side(p.client) + "; server: " +
                       side(p.server) + "\n  " + p.request.substr(0, 80) + "\n  " + p.response.substr(0, 100));
    }
  }

  void serve(FakeConnection& c) {
    for (;;) {
      const Message m = c.read_request();
      if (!m.target().starts_with("/x/")) {
        c.respond(200, m.target());
        continue;
      }
      const std::size_t id = std::stoul(m.target().substr(3));
      const Plan& p = plans_[id];
      if (m.body != p.request_body) complain(id, "the server got another body: " + m.body);
      const std::size_t size = p.server.fault == Fault::kNone ? p.response.size() : p.server.at;
      if (!c.drip(std::string_view(p.response).substr(0, size), p.server.piece, Ms(p.server.pauses ? 1 : 0))) return;
      switch (p.server.fault) {
        case Fault::kNone:
          if (p.closes) return;
          break;
        case Fault::kStall: c.wait_for_close(); return;
        case Fault::kHalfClose:
          c.shutdown_write();
          c.wait_for_close();
          return;
        case Fault::kClose: return;
        case Fault::kReset: c.reset(); return;
      }
    }
  }

  void one(std::size_t id) {
    const Plan& p = plans_[id];
    const Stopwatch watch;
    try {
      Client client(proxy_.port());
      const std::size_t size = p.client.fault == Fault::kNone ? p.request.size() : p.client.at;
      client.drip(std::string_view(p.request).substr(0, size), p.client.piece, Ms(p.client.pauses ? 1 : 0));
      if (p.client.fault == Fault::kReset) {
        client.reset();
      } else if (p.client.fault == Fault::kClose) {
        client.close();
      } else {
        if (p.client.fault == Fault::kHalfClose) client.half_close();
        check(id, client);
      }
      // The next one is alone with its answer.
      Client next(proxy_.port());
      const std::string path = "/next/" + std::to_string(id);
      const Message answer = next.get(path);
      if (answer.status() != 200 || answer.body != path) complain(id, "the next client got: " + answer.raw);
    } catch (const std::exception& e) {
      complain(id, e.what());
    }
    if (watch.seconds() > 5) complain(id, "took " + std::to_string(watch.seconds()) + " s");
  }

  void check(std::size_t id, Client& client) {
    const Plan& p = plans_[id];
    Message answer;
    try {
      answer = client.read_response();
    } catch (const Truncated&) {
      if (!p.faulty()) complain(id, "a sound exchange was cut");
      return;
    }
    if (answer.status() == 200) {
      ++whole_;
      if (answer.body != p.response_body) complain(id, "another body: " + answer.body);
      if (answer.get("x-id") != std::to_string(id)) complain(id, "another answer: " + answer.raw);
    } else if (!p.faulty() || answer.status() < 400) {
      complain(id, "answered: " + answer.raw);
    }
    if (p.client.fault == Fault::kHalfClose && p.client.at < p.request.size() && answer.status() == 200)
      complain(id, "half a request was answered");
    // The connection ends by itself: at once, or after its idle time, for which a few wait.
    if (lower_case(answer.get("connection")) == "close" || id % 16 == 0) client.read_all();
  }

  std::vector<Plan> plans_;
  std::atomic<int> whole_{0};
  std::mutex lock_;
  std::vector<std::string> wrong_;
  FakeUpstream upstream_;
  TestProxy proxy_;
};

void expect_nothing(const std::vector<std::string>& wrong) {
  for (const std::string& text : wrong) FAIL_CHECK(text);
  CHECK(wrong.empty());
}

const std::vector<Framing> kRequests = {Framing::kNone, Framing::kLength, Framing::kChunked};
const std::vector<Framing> kResponses = {Framing::kLength, Framing::kChunked, Framing::kClose};

}  // namespace

TEST_CASE("a client may fail at every byte of its request", "[random]") {
  const Fault fault = GENERATE(Fault::kHalfClose, Fault::kClose, Fault::kReset);
  std::vector<Plan> plans;
  for (const Framing in : kRequests) {
    const Plan whole = plan_of(0, in, 20, Framing::kLength, 10);
    for (std::size_t at = 0; at < whole.request.size(); ++at) {
      Plan p = plan_of(plans.size(), in, 20, Framing::kLength, 10);
      p.client = {fault, std::min(at, p.request.size() - 1), at % 3 == 0 ? std::size_t{1} : std::size_t{1000}, false};
      plans.push_back(std::move(p));
    }
  }
  expect_nothing(Bed(std::move(plans)).run(8));
}

TEST_CASE("a server may fail at every byte of its response", "[random]") {
  const Fault fault = GENERATE(Fault::kHalfClose, Fault::kClose, Fault::kReset);
  std::vector<Plan> plans;
  for (const Framing out : {Framing::kLength, Framing::kChunked}) {
    const Plan whole = plan_of(0, Framing::kLength, 20, out, 70);
    for (std::size_t at = 0; at < whole.response.size(); ++at) {
      Plan p = plan_of(plans.size(), at % 2 == 0 ? Framing::kLength : Framing::kNone, 20, out, 70);
      p.server = {fault, at, at % 3 == 0 ? std::size_t{1} : std::size_t{1000}, false};
      plans.push_back(std::move(p));
    }
  }
  expect_nothing(Bed(std::move(plans)).run(8));
}

TEST_CASE("one byte a write, both ways", "[random]") {
  std::vector<Plan> plans;
  for (const Framing in : kRequests) {
    for (const Framing out : kResponses) {
      for (const bool pauses : {false, true}) {
        Plan p = plan_of(plans.size(), in, 150, out, 150);
        p.client.piece = p.server.piece = 1;
        p.client.pauses = p.server.pauses = pauses;
        plans.push_back(std::move(p));
      }
    }
  }
  Bed bed(std::move(plans));
  expect_nothing(bed.run(6));
  CHECK(bed.whole() == 18);
}

TEST_CASE("anything at any place", "[random]") {
  const char* given = std::getenv("ALBATROSS_SEED");
  const unsigned long seed = given != nullptr ? std::stoul(given) : GENERATE(1UL, 2UL, 3UL);
  INFO("ALBATROSS_SEED=" << seed);
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  auto side = [&](std::size_t size) {
    Conduct s;
    static constexpr Fault kFaults[] = {Fault::kNone,      Fault::kNone,  Fault::kNone, Fault::kStall,
                                        Fault::kHalfClose, Fault::kClose, Fault::kReset};
    s.fault = kFaults[below(std::size(kFaults))];
    s.at = below(size);
    s.piece = size < 400 && below(3) == 0 ? 1 : 1 + below(size);
    s.pauses = size / s.piece < 150 && below(2) == 0;
    return s;
  };
  std::vector<Plan> plans;
  for (std::size_t id = 0; id < 300; ++id) {
    const std::size_t most = below(10) == 0 ? 200'000 : 300;
    Plan p = plan_of(id, kRequests[below(3)], below(most), kResponses[below(3)], below(most));
    p.client = side(p.request.size());
    p.server = side(p.response.size());
    if (p.closes && p.server.fault != Fault::kNone) p.server = {};  // where it ends is where it was meant to
    plans.push_back(std::move(p));
  }
  Bed bed(std::move(plans));
  expect_nothing(bed.run(24));
  CHECK(bed.whole() > 30);
}
