// The admin API: /v1/ verbs, /metrics and /health, on Beast. The run command owns it, and it lives on the process's
// io_context; control thread.
//
// It listens on one address or several. On a unix socket (mode 0600) everything is allowed. On TCP reads are open;
// writes need the token, and Host and Origin are checked, so that a web page cannot make a browser use the API.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "process/control.h"

namespace albatross {

class Admin {
 public:
  explicit Admin(Control& control);
  ~Admin();

  // Listens; with `off` it does nothing. On failure returns false, and `error` says why. `taken`: the path of the admin
  // socket of the process that this one takes over from. arrive() takes the addresses that the other process still
  // holds.
  bool start(const config::Admin& settings, const std::string& taken, std::string& error);
  // The other process has left: takes over its addresses.
  bool arrive(std::string& error);
  void stop();
  // "unix:/run/albatross/admin.sock", "127.0.0.1:9900"; empty when off.
  std::vector<std::string> addresses() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace albatross
