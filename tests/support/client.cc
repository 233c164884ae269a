#include "tests/support/client.h"

#include <sys/socket.h>

#include "tests/support/failure.h"

namespace albatross::test {
namespace {

class TcpChannel final : public Channel {
 public:
  explicit TcpChannel(Fd fd) : fd_(std::move(fd)) {}
  Got receive(std::string& into, const Deadline& deadline) override { return receive_some(fd_.get(), into, deadline); }
  Got send(std::string_view bytes, const Deadline& deadline) override { return send_all(fd_.get(), bytes, deadline); }
  void half_close() override { ::shutdown(fd_.get(), SHUT_WR); }
  void close() override { fd_.close(); }
  void reset() override { fd_.reset(); }
  int descriptor() const override { return fd_.get(); }

 private:
  Fd fd_;
};

}  // namespace

std::unique_ptr<Channel> tcp_channel(Fd fd) { return std::make_unique<TcpChannel>(std::move(fd)); }

Client& Client::send(std::string_view bytes) {
  if (channel_->send(bytes, Deadline()) == Got::kTimeout) throw TimedOut("the peer took nothing for too long");
  return *this;
}

Client& Client::drip(std::string_view bytes, std::size_t size, Ms gap) {
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    if (at > 0 && !stays_silent(gap)) return *this;
    send(bytes.substr(at, size));
  }
  return *this;
}

std::string Client::more(const Deadline& deadline) {
  std::string bytes;
  switch (channel_->receive(bytes, deadline)) {
    case Got::kBytes:
    case Got::kEnd: return bytes;
    case Got::kReset: throw WasReset("the connection was reset after: " + held_);
    default: throw TimedOut("nothing came in time, after: " + held_);
  }
}

Message Client::read_response(bool to_head) {
  const Deadline deadline;
  return read_message(
      Side::kResponse, held_, [&] { return more(deadline); }, to_head);
}

Message Client::get(const std::string& path, const std::string& fields, const std::string& host) {
  send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n");
  return read_response();
}

std::string Client::read_until(std::string_view marker) {
  const Deadline deadline;
  std::size_t at;
  while ((at = held_.find(marker)) == std::string::npos) {
    const std::string bytes = more(deadline);
    if (bytes.empty()) throw Truncated("the stream ended before the marker, after: " + held_);
    held_ += bytes;
  }
  return read_exact(at + marker.size());
}

std::string Client::read_exact(std::size_t n) {
  const Deadline deadline;
  while (held_.size() < n) {
    const std::string bytes = more(deadline);
    if (bytes.empty()) throw Truncated("the stream ended too early, after: " + held_);
    held_ += bytes;
  }
  std::string out = held_.substr(0, n);
  held_.erase(0, n);
  return out;
}

std::string Client::read_all(Got* how, Ms patience) {
  const Deadline deadline(patience);
  Got got;
  do {
    got = channel_->receive(held_, deadline);
  } while (got == Got::kBytes);
  if (got == Got::kTimeout) throw TimedOut("the connection was not ended in time, after: " + held_);
  if (how != nullptr) *how = got;
  return std::exchange(held_, {});
}

bool Client::ends(Ms patience) {
  std::string bytes = std::move(held_);
  held_.clear();
  return bytes.empty() && channel_->receive(bytes, Deadline(patience)) == Got::kEnd;
}

bool Client::is_reset(Ms patience) {
  std::string bytes;
  return channel_->receive(bytes, Deadline(patience)) == Got::kReset;
}

bool Client::stays_silent(Ms how_long) {
  return held_.empty() && channel_->receive(held_, Deadline(how_long)) == Got::kTimeout;
}

}  // namespace albatross::test
