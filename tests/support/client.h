// A client of raw bytes over TCP or TLS. Every call ends: it throws TimedOut (failure.h) if data does not come in time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/message.h"
#include "tests/support/socket.h"

namespace albatross::test {

// A connection's bytes in both directions: TCP here, TLS in tests/integration/secure.h.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual Got receive(std::string& into, const Deadline& deadline) = 0;
  virtual Got send(std::string_view bytes, const Deadline& deadline) = 0;
  virtual void half_close() = 0;
  virtual void close() = 0;
  virtual void reset() = 0;
  virtual int descriptor() const = 0;
};

std::unique_ptr<Channel> tcp_channel(Fd fd);

class Client {
 public:
  explicit Client(std::uint16_t port) : Client(loopback(port)) {}
  explicit Client(const std::string& address) : Client(tcp_channel(connect_to(address))) {}
  explicit Client(Fd fd) : Client(tcp_channel(std::move(fd))) {}
  explicit Client(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}

  // Sends all of it. A peer that takes no more is not a failure (see ends()).
  Client& send(std::string_view bytes);
  Client& drip(std::string_view bytes, std::size_t size, Ms gap);
  Message read_response(bool to_head = false);
  // Sends GET `path` and returns the answer; the connection stays open.
  Message get(const std::string& path, const std::string& fields = {}, const std::string& host = "test.example");
  // Reads up to and including the marker.
  std::string read_until(std::string_view marker);
  std::string read_exact(std::size_t n);
  // Reads until the peer ends the connection. `how` tells an end from a reset.
  std::string read_all(Got* how = nullptr, Ms patience = kPatience);
  // True if the peer ends the connection in time and sends nothing before that.
  bool ends(Ms patience = kPatience);
  bool is_reset(Ms patience = kPatience);
  // True if neither bytes nor an end come for `how_long`.
  bool stays_silent(Ms how_long);
  void half_close() { channel_->half_close(); }
  void close() { channel_->close(); }
  void reset() { channel_->reset(); }
  Channel& channel() { return *channel_; }
  // Bytes that were read but not returned yet.
  const std::string& held() const { return held_; }

 private:
  std::string more(const Deadline& deadline);
  std::unique_ptr<Channel> channel_;
  std::string held_;
};

}  // namespace albatross::test
