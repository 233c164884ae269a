// The program itself in a process of its own, on ports of the kernel's choice, which are read from what it says. Killed
// and reaped at the end.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/support/failure.h"
#include "tests/support/socket.h"
#include "tests/support/temp_dir.h"

namespace albatross::test {

class Program {
 public:
  // Waits until it serves; throws with what it said if it does not.
  explicit Program(const std::string& yaml, std::shared_ptr<TempDir> folder = std::make_shared<TempDir>())
      : folder_(std::move(folder)) {
    const std::string file = folder_->write("albatross.yaml", yaml);
    const std::string out = folder_->write("stderr", "");
    pid_ = ::fork();
    if (pid_ < 0) throw Failure("no process could be started");
    if (pid_ == 0) {
      const int fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      ::dup2(fd, STDERR_FILENO);
      ::execl(ALBATROSS_PROGRAM, "albatross", "run", "-c", file.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    if (!eventually([&] { return said("albatross: admin on ") || !running(); }) || !running())
      throw Failure("it said: " + all_said());
  }
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const TempDir& folder() const { return *folder_; }
  std::string all_said() const { return read_file(folder_->file("stderr")); }
  bool said(const std::string& text) const { return all_said().find(text) != std::string::npos; }
  // Where a listener is, to connect to; and the admin API.
  std::string address(const std::string& listener = "web") const {
    return behind("albatross: " + listener + " listens on http://");
  }
  std::string admin() const { return behind("albatross: admin on "); }

  // Only while it runs: a process id that is none would mean every process there is.
  void signal(int number) {
    if (running()) ::kill(pid_, number);
  }
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0;
  }
  // Its exit code once it has ended, or -1 if it was killed or does not end in time.
  int exit_code(Ms patience = kPatience) {
    if (!eventually([&] { return !running(); }, patience)) return -1;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }

 private:
  std::string behind(const std::string& words) const {
    const std::string text = all_said();
    const std::size_t at = text.find(words);
    if (at == std::string::npos) throw Failure("it did not say " + words + ", but " + text);
    const std::size_t from = at + words.size();
    return text.substr(from, text.find('\n', from) - from);
  }
  std::shared_ptr<TempDir> folder_;
  pid_t pid_ = -1;
  int status_ = 0;
};

}  // namespace albatross::test
