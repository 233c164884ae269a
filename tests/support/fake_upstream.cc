#include "tests/support/fake_upstream.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/failure.h"

namespace albatross::test {
namespace {
struct PeerLeft {};
constexpr std::size_t kKept = 1 << 20;  // of a connection's bytes; the rest is only counted
}  // namespace

// ---- one connection ----

bool FakeConnection::pull(const Deadline& deadline) {
  const std::size_t had = held_.size();
  const Got got = receive_some(fd_.get(), held_, deadline, owner_.stop_.get());
  owner_.keep(static_cast<std::size_t>(index_), std::string_view(held_).substr(had));
  if (got == Got::kReset) ++owner_.resets_;
  return got == Got::kBytes;
}

Message FakeConnection::read_request() {
  const Deadline deadline;
  const ByteSource more = [&]() -> std::string {
    std::string before = std::move(held_);
    held_.clear();
    if (!pull(deadline)) throw PeerLeft{};
    std::string fresh = std::move(held_);
    held_ = std::move(before);
    return fresh;
  };
  std::string bytes = std::move(held_);
  held_.clear();
  Message m = read_message(Side::kRequest, bytes, more);
  held_ = std::move(bytes);
  ++owner_.requests_;
  return m;
}

std::string FakeConnection::read_head() {
  const Deadline deadline;
  std::size_t end;
  while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
    if (!pull(deadline)) throw PeerLeft{};
  }
  ++owner_.requests_;
  std::string head = held_.substr(0, end + 4);
  held_.erase(0, end + 4);
  return head;
}

std::string FakeConnection::read_exact(std::size_t n) {
  const Deadline deadline;
  while (held_.size() < n) {
    if (!pull(deadline)) throw PeerLeft{};
  }
  std::string text = held_.substr(0, n);
  held_.erase(0, n);
  return text;
}

std::string FakeConnection::read_some() {
  if (held_.empty()) pull(Deadline());
  return std::exchange(held_, {});
}

void FakeConnection::write(std::string_view bytes) {
  if (send_all(fd_.get(), bytes, Deadline(), owner_.stop_.get()) != Got::kBytes) throw PeerLeft{};
}

bool FakeConnection::drip(std::string_view bytes, std::size_t size, Ms gap) {
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    if (send_all(fd_.get(), bytes.substr(at, size), Deadline(), owner_.stop_.get()) != Got::kBytes) return false;
    if (at + size >= bytes.size()) return true;
    pollfd p[2] = {{fd_.get(), POLLRDHUP, 0}, {owner_.stop_.get(), POLLIN, 0}};
    if (::poll(p, 2, static_cast<int>(gap.count())) > 0) return false;
  }
  return true;
}

void FakeConnection::respond(int status, std::string_view body, std::string_view fields) {
  std::string text = "HTTP/1.1 " + std::to_string(status) + " X\r\n";
  text += fields;
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  text += body;
  write(text);
}

void FakeConnection::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

bool FakeConnection::wait_for_close() {
  const Deadline deadline;
  while (pull(deadline)) held_.clear();
  pollfd p{owner_.stop_.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 0 && !deadline.over();
}

bool FakeConnection::silent(Ms how_long) {
  pollfd p[2] = {{fd_.get(), POLLIN, 0}, {owner_.stop_.get(), POLLIN, 0}};
  return held_.empty() && ::poll(p, 2, static_cast<int>(how_long.count())) == 0;
}

void FakeConnection::stall(Ms most) {
  pollfd p[2] = {{fd_.get(), POLLRDHUP, 0}, {owner_.stop_.get(), POLLIN, 0}};
  ::poll(p, 2, static_cast<int>(most.count()));
}

// ---- the server ----

FakeUpstream::Handler FakeUpstream::echo() {
  return [](FakeConnection& c) {
    for (;;) c.respond(200, c.read_request().raw);
  };
}

FakeUpstream::Handler FakeUpstream::say(std::string body, std::string fields) {
  return [body = std::move(body), fields = std::move(fields)](FakeConnection& c) {
    for (;;) {
      c.read_request();
      c.respond(200, body, fields);
    }
  };
}

FakeUpstream::FakeUpstream(Handler handler, const std::string& address)
    : handler_(std::move(handler)),
      address_(address),
      listener_(listen_on(address, port_)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (const std::size_t colon = address_.rfind(":0"); !address_.starts_with("unix:") && colon != std::string::npos) {
    address_ = address_.substr(0, colon + 1) + std::to_string(port_);
  }
  acceptor_ = std::thread([this] { accept(); });
}

FakeUpstream::~FakeUpstream() { stop(); }

void FakeUpstream::stop() {
  if (!acceptor_.joinable()) return;
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  acceptor_.join();
  listener_.close();
  for (std::thread& t : threads_) t.join();
  threads_.clear();
  if (address_.starts_with("unix:")) ::unlink(address_.c_str() + 5);
}

void FakeUpstream::accept() {
  for (;;) {
    pollfd p[2] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    ::poll(p, 2, -1);
    if (p[1].revents != 0) return;
    Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.get() < 0) continue;
    std::size_t index;
    {
      std::lock_guard lock(lock_);
      index = received_.size();
      received_.emplace_back();
    }
    ++connections_;
    ++open_;
    threads_.emplace_back([this, index, f = std::move(fd)]() mutable { serve(std::move(f), index); });
  }
}

void FakeUpstream::serve(Fd fd, std::size_t index) {
  FakeConnection c(*this, std::move(fd), static_cast<int>(index));
  try {
    handler_(c);
  } catch (const PeerLeft&) {
  } catch (const Failure&) {
  }
  c.close();
  --open_;
}

void FakeUpstream::keep(std::size_t index, std::string_view bytes) {
  bytes_ += bytes.size();
  std::lock_guard lock(lock_);
  std::string& all = received_[index];
  if (all.size() < kKept) all += bytes.substr(0, kKept - all.size());
}

std::string FakeUpstream::received(std::size_t index) const {
  std::lock_guard lock(lock_);
  return index < received_.size() ? received_[index] : std::string();
}

std::string FakeUpstream::received() const {
  std::lock_guard lock(lock_);
  std::string all;
  for (const std::string& one : received_) all += one;
  return all;
}

}  // namespace albatross::test
