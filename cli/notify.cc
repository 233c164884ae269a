#include "cli/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/event.h"

namespace albatross::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Half of the watchdog's interval; 0 if the watchdog is not for this process.
std::chrono::microseconds watchdog_period(bool took_over) {
  const std::string pid = environment("WATCHDOG_PID");
  if (!took_over && !pid.empty() && pid != std::to_string(::getpid())) return {};
  return std::chrono::microseconds(std::strtoull(environment("WATCHDOG_USEC").c_str(), nullptr, 10) / 2);
}

}  // namespace

void notify(const std::string& state) {
  const std::string path = environment("NOTIFY_SOCKET");
  if (path.empty()) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.size() >= sizeof to.sun_path) return print_event(Level::kError, "NOTIFY_SOCKET: the path is too long");
  std::memcpy(to.sun_path, path.data(), path.size());
  if (path[0] == '@') to.sun_path[0] = 0;  // an abstract socket
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const bool sent = fd >= 0 && ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                                        reinterpret_cast<const sockaddr*>(&to), size) >= 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!sent) print_event(Level::kError, "NOTIFY_SOCKET: " + path + ": " + std::strerror(error));
}

Notifier::Notifier(Process& process, bool took_over)
    : process_(process), took_over_(took_over), period_(watchdog_period(took_over)), timer_(process.io()) {}

void Notifier::ready() {
  notify((took_over_ ? "MAINPID=" + std::to_string(::getpid()) + "\n" : "") + "READY=1\nSTATUS=serving");
  if (period_.count() > 0) feed();
}

void Notifier::stage(ProcessStage stage) {
  switch (stage) {
    case ProcessStage::kServing: return notify("READY=1\nSTATUS=serving");
    case ProcessStage::kReloading:
      return notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(Clock().now() / kMicro) + "\nSTATUS=reloading");
    case ProcessStage::kStopping: return notify("STOPPING=1\nSTATUS=draining");
  }
}

// If a worker hangs, nothing is sent.
void Notifier::feed() {
  process_.when_workers_turn([] { notify("WATCHDOG=1"); });
  timer_.expires_after(period_);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) feed();
  });
}

}  // namespace albatross::cli
