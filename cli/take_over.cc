#include "cli/take_over.h"

#include <linux/close_range.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/event.h"

namespace albatross::cli {
namespace {

constexpr std::string_view kRequest =
    "POST /v1/take-over HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "
    "albatross-take-over\r\nContent-Length: 0\r\n\r\n";

// Reads byte by byte, because the bytes after the head carry descriptors.
std::string read_head(int fd) {
  std::string head;
  char byte = 0;
  while (head.size() < 4096 && !head.ends_with("\r\n\r\n") && ::recv(fd, &byte, 1, 0) == 1) head += byte;
  return head;
}

int connect_to(const std::string& path, std::string& error) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.size() >= sizeof a.sun_path) {
    error = "the path is too long";
    return -1;
  }
  std::memcpy(a.sun_path, path.c_str(), path.size() + 1);
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0) return fd;
  error = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  return -1;
}

}  // namespace

TakeOver::~TakeOver() {
  if (fd_ >= 0) ::close(fd_);
}

bool TakeOver::begin(const std::string& socket, Process& process, std::string& error) {
  const std::string path =
      std::filesystem::absolute(socket.starts_with("unix:") ? socket.substr(5) : socket).lexically_normal();
  std::string why;
  fd_ = connect_to(path, why);
  if (fd_ < 0) {
    error = "--take-over " + path + ": " + why + " (is that the admin socket of the running process?)";
    return false;
  }
  timeval patience{HandOver::kPatience, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const bool asked =
      ::send(fd_, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kRequest.size());
  const std::string head = asked ? read_head(fd_) : "";
  if (!head.starts_with("HTTP/1.1 101 ")) {
    error = "--take-over " + path + ": the process does not hand over its sockets" +
            (head.empty() ? "" : ": " + head.substr(0, head.find('\r')));
    return false;
  }
  HandOver from;
  if (!receive(fd_, from, why)) {
    error = "--take-over " + path + ": " + why;
    return false;
  }
  process.take_over(std::move(from));
  socket_ = path;
  return true;
}

bool TakeOver::finish(std::string& error) {
  if (fd_ < 0) return true;
  std::string why;
  if (say(fd_, HandOver::kReady, why) && await(fd_, HandOver::kLeft, why)) return true;
  error = "the old process did not leave its sockets: " + why;
  return false;
}

void Successor::start(const std::vector<std::string>& admin) {
  if (pid_ != 0) {
    print_event(Level::kWarning, "SIGUSR2: a new process is already starting");
    return;
  }
  const auto socket =
      std::find_if(admin.begin(), admin.end(), [](const std::string& at) { return at.starts_with("unix:"); });
  if (socket == admin.end()) {
    print_event(Level::kError,
                "SIGUSR2: a take-over needs an admin API on a unix socket: add unix:/path to admin.bind");
    return;
  }
  std::vector<std::string> words;
  for (std::size_t i = 0; i < command_.size(); ++i) {
    if (command_[i] == "--take-over") {
      ++i;
    } else if (!command_[i].starts_with("--take-over=")) {
      words.push_back(command_[i]);
    }
  }
  words.insert(words.end(), {"--take-over", socket->substr(5)});
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  // Some libraries open descriptors without O_CLOEXEC.
  if (::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) != 0)
    print_event(Level::kWarning, std::string("SIGUSR2: close_range: ") + std::strerror(errno));
  wait();
  if (int error = posix_spawnp(&pid_, argv[0], nullptr, nullptr, argv.data(), environ); error != 0) {
    pid_ = 0;
    ended_.cancel();
    print_event(Level::kError, "SIGUSR2: cannot start " + words[0] + ": " + std::strerror(error));
    return;
  }
  print_event(Level::kInfo, "SIGUSR2: process " + std::to_string(pid_) + " takes over");
}

void Successor::wait() {
  ended_.async_wait([this](boost::system::error_code ec, int) {
    if (ec) return;
    int status = 0;
    if (pid_ == 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return wait();
    print_event(Level::kError,
                "process " + std::to_string(pid_) + " ended without taking over; this process continues");
    pid_ = 0;
  });
}

}  // namespace albatross::cli
