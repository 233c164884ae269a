// No descriptors left: the real program in a process of its own, with a low limit. It pauses, gives back, recovers.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/failure.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/setup.h"
#include "tests/support/temp_dir.h"

using namespace albatross::test;

namespace {

// The program with `limit` descriptors; stopped and reaped at the end.
class Program {
 public:
  Program(const TempDir& folder, const std::string& yaml, rlim_t limit) {
    const std::string file = folder.write("albatross.yaml", yaml);
    const std::string out = folder.file("stderr");
    pid_ = ::fork();
    if (pid_ == 0) {
      const rlimit l{limit, limit};
      ::setrlimit(RLIMIT_NOFILE, &l);
      const int fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(fd, STDERR_FILENO);
      for (int i = 3; i < 256; ++i) ::close(i);
      ::execl(ALBATROSS_PROGRAM, "albatross", "run", "-c", file.c_str(), "--admin", "off", static_cast<char*>(nullptr));
      ::_exit(127);
    }
  }
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
  }
  // SIGTERM; its exit code, or -1 if it was killed by a signal or does not end.
  int terminate() {
    if (running()) ::kill(pid_, SIGTERM);
    if (!eventually([&] { return !running(); })) return -1;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }

 private:
  pid_t pid_ = -1;
  int status_ = 0;
};

bool serves(const std::string& address) {
  try {
    return Client(address).get("/").status() == 200;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

TEST_CASE("without descriptors the proxy lives, and recovers when they are given back", "[exhaustion]") {
  TempDir folder;
  FakeUpstream up(FakeUpstream::say("ok"));
  std::uint16_t port = 0;
  refusing_port(port).close();  // free a moment ago
  const std::string address = loopback(port);
  Setup setup{.servers = {up.address()}, .bind = address};
  Program program(folder, setup.yaml(), 64);
  REQUIRE(eventually([&] { return serves(address); }));
  {
    std::vector<Client> idle;
    for (int i = 0; i < 150; ++i) idle.emplace_back(address);
    for (Client& c : idle) c.send("GET / HT");  // under way, so none of them is idle
    CHECK(program.running());
    // Those that were let in are served still.
    int served = 0;
    for (Client& c : idle) {
      try {
        c.send("TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        const int status = c.read_response().status();
        served += status == 200 ? 1 : 0;
      } catch (const Failure&) {
      }
    }
    CHECK(served > 5);
    CHECK(program.running());
  }
  CHECK(eventually([&] { return serves(address); }, Ms(5000)));
  CHECK(program.terminate() == 0);
}

TEST_CASE("idle clients make room for new ones", "[exhaustion]") {
  TempDir folder;
  FakeUpstream up(FakeUpstream::say("ok"));
  std::uint16_t port = 0;
  refusing_port(port).close();
  const std::string address = loopback(port);
  Setup setup{.servers = {up.address()}, .bind = address};
  Program program(folder, setup.yaml(), 64);
  REQUIRE(eventually([&] { return serves(address); }));
  std::vector<Client> idle;
  for (int i = 0; i < 150; ++i) {
    idle.emplace_back(address);
    INFO(i);
    CHECK(idle.back().get("/").status() == 200);
  }
  CHECK(program.terminate() == 0);
}
