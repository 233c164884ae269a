// Replacing the running process by another one, without a refused connection: `run --take-over SOCKET`, and SIGUSR2
// which starts that.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <string>
#include <vector>

#include "process/process.h"

namespace albatross::cli {

// The connection to the process that we take over from.
class TakeOver {
 public:
  ~TakeOver();
  // Asks at its admin socket ("/path" or "unix:/path"), and gives what it hands over to `server`.
  bool begin(const std::string& socket, Process& process, std::string& error);
  // We serve: it leaves its sockets.
  bool finish(std::string& error);
  // Its admin socket's path; "": there was nobody.
  const std::string& socket() const { return socket_; }

 private:
  int fd_ = -1;
  std::string socket_;
};

// Starts the same command again, with --take-over. Says how it ends if that is before us.
class Successor {
 public:
  Successor(Process& process, std::vector<std::string> command)
      : command_(std::move(command)), ended_(process.io(), SIGCHLD) {}
  // `admin`: the address of our admin API.
  void start(const std::string& admin);

 private:
  void wait();
  std::vector<std::string> command_;
  boost::asio::signal_set ended_;
  int pid_ = 0;
};

}  // namespace albatross::cli
