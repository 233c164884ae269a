// A server whose bytes a test decides.
//
// Each accepted connection runs the handler on a thread of its own; when the handler returns, the connection is closed.
// Without a handler it answers each request with 200 and, as the body, the request's raw bytes. Counters may be read
// from any thread. The destructor ends every handler that waits.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/message.h"
#include "tests/support/socket.h"

namespace albatross::test {

class FakeUpstream;

// One accepted connection; used by its handler only. Reading throws when the peer has gone or the test ends, which ends
// the handler.
class FakeConnection {
 public:
  FakeConnection(FakeUpstream& owner, Fd fd, int index) : owner_(owner), fd_(std::move(fd)), index_(index) {}

  int index() const { return index_; }  // 0 for the first that was accepted
  int descriptor() const { return fd_.get(); }
  Message read_request();
  std::string read_head();  // up to the empty line, without the body
  std::string read_exact(std::size_t n);
  // Waits for at least one byte and returns all that have come; "" at the end.
  std::string read_some();
  void write(std::string_view bytes);
  // Writes pieces of `size` bytes, `gap` apart. False if the peer left.
  bool drip(std::string_view bytes, std::size_t size, Ms gap);
  // Writes "HTTP/1.1 <status> X", the fields (each with CRLF), content-length and the body.
  void respond(int status, std::string_view body = {}, std::string_view fields = {});
  void shutdown_write();
  void close() { fd_.close(); }
  void reset() { fd_.reset(); }
  // Waits until the peer closes or resets; false if the test or kPatience ended first. Bytes that come are kept by the
  // owner.
  bool wait_for_close();
  // True if nothing has come and nothing comes for `how_long`.
  bool silent(Ms how_long);
  // Neither reads nor writes until the test ends, the peer leaves or the time is over.
  void stall(Ms most = kPatience);

 private:
  bool pull(const Deadline& deadline);
  FakeUpstream& owner_;
  Fd fd_;
  int index_;
  std::string held_;
};

class FakeUpstream {
 public:
  using Handler = std::function<void(FakeConnection&)>;

  FakeUpstream() : FakeUpstream(echo()) {}
  explicit FakeUpstream(Handler handler, const std::string& address = "127.0.0.1:0");
  ~FakeUpstream();
  FakeUpstream(const FakeUpstream&) = delete;
  FakeUpstream& operator=(const FakeUpstream&) = delete;

  // Answers every request of a connection with its raw bytes.
  static Handler echo();
  // Answers every request with `body`.
  static Handler say(std::string body, std::string fields = {});

  std::uint16_t port() const { return port_; }
  const std::string& address() const { return address_; }
  // Stops listening and closes open connections: from now on connections are refused.
  void stop();

  int connections() const { return connections_.load(); }
  int open() const { return open_.load(); }
  int requests() const { return requests_.load(); }
  std::size_t bytes() const { return bytes_.load(); }
  // How many connections ended with a reset.
  int resets() const { return resets_.load(); }
  // Everything received on connection `index`, or on all of them.
  std::string received(std::size_t index) const;
  std::string received() const;

 private:
  friend class FakeConnection;
  void accept();
  void serve(Fd fd, std::size_t index);
  void keep(std::size_t index, std::string_view bytes);

  Handler handler_;
  std::string address_;
  std::uint16_t port_ = 0;
  Fd listener_;
  Fd stop_;
  std::thread acceptor_;
  std::list<std::thread> threads_;  // the acceptor's until it has ended
  std::atomic<int> connections_{0}, open_{0}, requests_{0}, resets_{0};
  std::atomic<std::size_t> bytes_{0};
  mutable std::mutex lock_;
  std::vector<std::string> received_;
};

}  // namespace albatross::test
