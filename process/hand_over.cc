#include "process/hand_over.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace albatross {
namespace {

using nlohmann::json;

constexpr std::size_t kAtOnce = 250;  // SCM_MAX_FD is 253
constexpr std::uint32_t kLargest = 64u << 20;

bool failed(std::string& error, const char* what) {
  error = std::string(what) + ": " + (errno == EAGAIN ? "no answer in time" : std::strerror(errno));
  return false;
}

void set_patience(int fd) {
  timeval t{HandOver::kPatience, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

bool write_all(int fd, const char* p, std::size_t n, std::string& error) {
  while (n > 0) {
    ssize_t done = ::send(fd, p, n, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return failed(error, "send");
    p += done;
    n -= static_cast<std::size_t>(done);
  }
  return true;
}

bool read_all(int fd, char* p, std::size_t n, std::string& error) {
  while (n > 0) {
    ssize_t done = ::recv(fd, p, n, 0);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failed(error, "receive");
    if (done == 0) {
      error = "the other process has closed the connection";
      return false;
    }
    p += done;
    n -= static_cast<std::size_t>(done);
  }
  return true;
}

// Descriptors need at least one byte of data, which carries them.
bool send_descriptors(int fd, const int* fds, std::size_t n, std::string& error) {
  char byte = 'f';
  iovec part{&byte, 1};
  std::vector<char> control(CMSG_SPACE(n * sizeof(int)));
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control.data();
  m.msg_controllen = control.size();
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(n * sizeof(int));
  std::memcpy(CMSG_DATA(c), fds, n * sizeof(int));
  return ::sendmsg(fd, &m, MSG_NOSIGNAL) == 1 || failed(error, "send descriptors");
}

bool receive_descriptors(int fd, std::vector<int>& out, std::string& error) {
  char byte = 0;
  iovec part{&byte, 1};
  std::vector<char> control(CMSG_SPACE(kAtOnce * sizeof(int)));
  msghdr m{};
  m.msg_iov = &part;
  m.msg_iovlen = 1;
  m.msg_control = control.data();
  m.msg_controllen = control.size();
  if (::recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != 1) return failed(error, "receive descriptors");
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::size_t at = out.size();
    out.resize(at + n);
    std::memcpy(out.data() + at, CMSG_DATA(c), n * sizeof(int));
  }
  if ((m.msg_flags & MSG_CTRUNC) != 0) {
    error = "descriptors were lost: the descriptor limit may be reached";
    return false;
  }
  return true;
}

template <std::size_t N>
json bytes_json(const std::array<unsigned char, N>& a) {
  return json(std::vector<unsigned char>(a.begin(), a.end()));
}

template <std::size_t N>
void take_bytes(const json& j, std::array<unsigned char, N>& out) {
  auto v = j.get<std::vector<unsigned char>>();
  if (v.size() == N) std::copy(v.begin(), v.end(), out.begin());
}

json weights_json(const std::map<Overrides::Key, Overrides::Weight>& weights) {
  json out = json::array();
  for (const auto& [key, w] : weights) out.push_back({key.first, key.second, w.value, w.file});
  return out;
}

std::map<Overrides::Key, Overrides::Weight> take_weights(const json& j) {
  std::map<Overrides::Key, Overrides::Weight> out;
  for (const json& w : j) out[{w.at(0), w.at(1)}] = {w.at(2), w.at(3)};
  return out;
}

json to_json(const HandOver& h) {
  json out{{"version", 1}, {"listeners", json::array()}, {"keys", json::array()}, {"health", json::array()}};
  for (const auto& l : h.listeners)
    out["listeners"].push_back({{"name", l.name}, {"wanted", l.wanted}, {"sockets", l.sockets.size()}});
  for (const auto& k : h.ticket_keys)
    out["keys"].push_back({bytes_json(k.name), bytes_json(k.cipher), bytes_json(k.mac)});
  for (const auto& [key, health] : h.health)
    out["health"].push_back({key.first, key.second, health == Health::kHealthy});
  out["server_weights"] = weights_json(h.overrides.servers);
  out["rule_weights"] = weights_json(h.overrides.rules);
  out["drained"] = h.overrides.drained;
  out["drained_listeners"] = h.overrides.drained_listeners;
  out["rollouts"] = h.rollouts;
  return out;
}

bool from_json(const std::string& text, const std::vector<int>& fds, HandOver& h) {
  try {
    json in = json::parse(text);
    if (in.at("version") != 1) return false;
    std::size_t next = 0;
    for (const json& l : in.at("listeners")) {
      HandOver::Listener one{l.at("name"), l.at("wanted"), {}};
      for (std::size_t n = l.at("sockets"); n > 0; --n, ++next)
        one.sockets.push_back({fds.at(next), bound_address(fds.at(next))});
      h.listeners.push_back(std::move(one));
    }
    for (const json& k : in.at("keys")) {
      TicketKeys::Key key{};
      take_bytes(k.at(0), key.name);
      take_bytes(k.at(1), key.cipher);
      take_bytes(k.at(2), key.mac);
      h.ticket_keys.push_back(key);
    }
    for (const json& s : in.at("health"))
      h.health[{s.at(0), s.at(1)}] = s.at(2).get<bool>() ? Health::kHealthy : Health::kUnhealthy;
    h.overrides.servers = take_weights(in.at("server_weights"));
    h.overrides.rules = take_weights(in.at("rule_weights"));
    h.overrides.drained = in.at("drained").get<std::set<Overrides::Key>>();
    h.rollouts = in.value("rollouts", "");
    h.overrides.drained_listeners = in.at("drained_listeners").get<std::set<std::string>>();
    return true;
  } catch (const std::exception&) {  // of another version, or not an albatross: the caller says so
    return false;
  }
}

}  // namespace

bool send(int fd, const HandOver& what, std::string& error) {
  set_patience(fd);
  const std::string text = to_json(what).dump();
  std::vector<int> fds;
  for (const auto& l : what.listeners) {
    for (const ListenSocket& s : l.sockets) fds.push_back(s.fd);
  }
  const std::uint32_t sizes[2] = {static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(fds.size())};
  if (!write_all(fd, reinterpret_cast<const char*>(sizes), sizeof sizes, error) ||
      !write_all(fd, text.data(), text.size(), error))
    return false;
  for (std::size_t at = 0; at < fds.size(); at += kAtOnce) {
    if (!send_descriptors(fd, fds.data() + at, std::min(kAtOnce, fds.size() - at), error)) return false;
  }
  return true;
}

bool receive(int fd, HandOver& out, std::string& error) {
  set_patience(fd);
  std::uint32_t sizes[2];
  if (!read_all(fd, reinterpret_cast<char*>(sizes), sizeof sizes, error)) return false;
  if (sizes[0] > kLargest || sizes[1] > 1'000'000) {
    error = "the other process sent unexpected data";
    return false;
  }
  std::string text(sizes[0], 0);
  if (!read_all(fd, text.data(), text.size(), error)) return false;
  std::vector<int> fds;
  bool whole = true;
  while (whole && fds.size() < sizes[1]) whole = receive_descriptors(fd, fds, error);
  if (whole && !from_json(text, fds, out)) {
    error = "the other process uses an incompatible hand-over format";
    whole = false;
  }
  if (!whole) {
    for (int one : fds) ::close(one);
  }
  return whole;
}

bool say(int fd, char what, std::string& error) { return write_all(fd, &what, 1, error); }

bool await(int fd, char what, std::string& error) {
  char got = 0;
  if (!read_all(fd, &got, 1, error)) return false;
  if (got != what) error = "the other process sent an unexpected reply";
  return got == what;
}

}  // namespace albatross
