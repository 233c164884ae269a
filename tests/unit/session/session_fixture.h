// One Session over a MemoryTransport under a manual clock, with an owner and stream events that write down what they
// hear.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "session/session.h"
#include "tests/unit/session/memory_transport.h"

namespace albatross::session_test {

class ManualClock final : public Clock {
 public:
  Nanos now() const override { return at; }
  Nanos wall() const override { return at; }
  bool runs() const override { return false; }
  Nanos at = 1000 * kSecond;
};

class Fixture : public ConnectionOwner, public StreamEvents {
 public:
  explicit Fixture(Role role) : role_(role) {}
  ~Fixture() {
    if (session) session->fail(Error{});
    turns(1);
  }

  // Makes a session and turns the loop until it is quiet.
  void start(std::shared_ptr<Wire> over = std::make_shared<Wire>()) {
    wire = std::move(over);
    settings.limits = limits;
    settings.timeouts = timeouts;
    made_ = std::make_unique<Session>(context, *this, role_, settings);
    session = made_.get();
    session->start(std::make_unique<MemoryTransport>(loop, *session, wire), timeouts.handshake);
    turns();
  }
  void turns(int n = 12) {
    for (int i = 0; i < n; ++i) loop.turn(0);
  }
  void pass(Nanos time) {
    // In steps, as a loop would wake for its wheel.
    for (Nanos end = clock.at + time; clock.at < end;) {
      clock.at = std::min(end, clock.at + 50 * kMilli);
      loop.turn(0);
    }
    turns();
  }
  void send(std::string_view bytes) {
    wire->send(bytes);
    turns();
  }
  // What was heard since the last time.
  std::string heard() {
    std::string out;
    out.swap(log);
    in_data_ = false;
    return out;
  }

  // A server's whole answer with a length.
  void answer(Stream& s, int status, std::string_view content, bool keep = true) {
    Head h;
    h.fields = Fields(arena_);
    h.status = static_cast<std::uint16_t>(status);
    h.keep_alive = keep;
    h.body = {BodyLength::Kind::kLength, content.size()};
    s.send_head(h, content.empty());
    if (content.empty()) return;
    s.send_data(content);
    s.send_end(nullptr);
  }
  // A client's request without a body, or with one of `length` bytes to come.
  Stream& request(std::string_view method = "GET", std::uint64_t length = 0, bool upgrade = false) {
    Stream& s = session->open_stream(*this, method_of(method), upgrade);
    Head h;
    h.fields = Fields(arena_);
    h.method_text = method;
    h.method = method_of(method);
    h.path = "/";
    h.authority = "a";
    h.upgrade = upgrade;
    if (length > 0) h.body = {BodyLength::Kind::kLength, length};
    s.send_head(h, length == 0);
    return s;
  }

  // StreamEvents
  Arena& arena() override { return arena_; }
  void on_head(Stream& s, Head& head, bool end) override {
    note("head " +
         (head.status != 0 ? std::to_string(head.status)
                           : std::string(head.method_text) + " " + std::string(head.path)) +
         (end ? " end" : ""));
    stream = &s;
    if (when_head) when_head(s, head, end);
  }
  void on_data(Stream& s, std::string_view data) override {
    body += data;
    if (!in_data_) note("data ");
    if (in_data_) log.pop_back();
    in_data_ = true;
    log += std::string(data) + ";";
    if (consume) s.consume(data.size());
    if (when_data) when_data(s, data);
  }
  void on_end(Stream& s, Fields* trailers) override {
    note(trailers == nullptr ? "end" : "end with trailers");
    if (when_end) when_end(s);
  }
  void on_refused(Stream& s, Cause cause, const char*) override {
    note("refused " + std::string(info_of(cause)));
    if (when_refused) {
      when_refused(s);
    } else {
      answer(s, info(cause).status, "no", false);
    }
  }
  void on_reset(Stream&, const Error& error) override {
    note("reset " + std::string(info_of(error.cause)));
    reset_error = error;
    ++stream_ends;
    stream = nullptr;
  }
  void on_sent(Stream& s, std::size_t bytes) override {
    sent += bytes;
    if (when_sent) when_sent(s, bytes);
  }
  void on_finished(Stream&) override {
    note("finished");
    ++stream_ends;
    stream = nullptr;
  }

  // ConnectionOwner
  void on_new_stream(Connection&, Stream& s) override {
    ++streams;
    s.events = this;
    stream = &s;
  }
  void on_open(Connection&) override { note("open"); }
  void on_idle(Connection&) override { note("idle"); }
  void on_closed(Connection&, const Error& error) override {
    note("closed" + (error.cause == Cause::kNone ? "" : " " + std::string(info_of(error.cause))));
    closed_error = error;
    ++closes;
    session = nullptr;
    loop.destroy_later(std::move(made_));
  }

  ManualClock clock;
  Loop loop{clock};
  SessionContext context{loop};
  HeadLimits limits;
  SessionTimeouts timeouts;
  SessionSettings settings;  // start() makes it of these
  std::shared_ptr<Wire> wire;
  Session* session = nullptr;  // null once closed
  Stream* stream = nullptr;    // null once over
  std::string log;             // events, each ended by ";"
  std::string body;
  bool consume = true;
  std::function<void(Stream&, Head&, bool)> when_head;
  std::function<void(Stream&, std::string_view)> when_data;
  std::function<void(Stream&)> when_end;
  std::function<void(Stream&)> when_refused;
  std::function<void(Stream&, std::size_t)> when_sent;
  std::size_t sent = 0;
  int streams = 0;
  int stream_ends = 0;
  int closes = 0;
  Error reset_error;
  Error closed_error;

 private:
  static std::string_view info_of(Cause c) { return info(c).name; }
  void note(const std::string& what) {
    in_data_ = false;
    log += what + (what == "data " ? "" : ";");
  }

  Role role_;
  Arena arena_;
  std::unique_ptr<Session> made_;
  bool in_data_ = false;
};

// A server's session that answers every whole request with `reply`.
class ServerFixture : public Fixture {
 public:
  ServerFixture() : Fixture(Role::kServer) {
    when_head = [this](Stream& s, Head&, bool end) {
      if (end && auto_answer) answer(s, 200, reply);
    };
    when_end = [this](Stream& s) {
      if (auto_answer) answer(s, 200, reply);
    };
  }
  std::string reply = "ok";
  bool auto_answer = true;
};

class ClientFixture : public Fixture {
 public:
  ClientFixture() : Fixture(Role::kClient) {}
  // Releases the stream when its response is whole.
  void release_at_end() {
    when_head = [](Stream& s, Head& h, bool end) {
      if (end && h.status >= 200) s.release();
    };
    when_end = [](Stream& s) { s.release(); };
  }
};

inline constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace albatross::session_test
