// Replaces the running process by another one without refusing a connection: with `run --take-over SOCKET`, or with
// SIGUSR2, which starts that command. The run command owns both types; control thread.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <string>
#include <vector>

#include "process/process.h"

namespace albatross::cli {

// The new process's side: the connection to the process that it takes over from.
class TakeOver {
 public:
  ~TakeOver();
  // Asks the process through its admin socket ("/path" or "unix:/path"), and passes the data that it hands over to
  // `process`. False on failure, and `error` says why.
  bool begin(const std::string& socket, Process& process, std::string& error);
  // This process serves: waits for the other one to leave its sockets.
  bool finish(std::string& error);
  // The path of the other process's admin socket; "" if there is none.
  const std::string& socket() const { return socket_; }

 private:
  int fd_ = -1;
  std::string socket_;
};

// The running process's side: starts the same command again with --take-over, and logs if that process ends without
// taking over.
class Successor {
 public:
  Successor(Process& process, std::vector<std::string> command)
      : command_(std::move(command)), ended_(process.io(), SIGCHLD) {}
  // `admin`: the addresses of this process's admin API.
  void start(const std::vector<std::string>& admin);

 private:
  void wait();
  std::vector<std::string> command_;
  boost::asio::signal_set ended_;
  int pid_ = 0;
};

}  // namespace albatross::cli
