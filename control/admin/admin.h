// The admin API on the control thread: /v1/ verbs, /metrics, /health (PRODUCT §6), by Beast.
//
// On a unix socket (mode 0600) everything is allowed. On TCP reads are open; writes need the token, and Host and Origin
// are checked, so that a web page cannot make a browser speak to it. Lives on the process's io_context; owned by main.
#pragma once

#include <memory>
#include <string>

#include "config/config.h"
#include "process/control.h"

namespace albatross {

class Admin {
 public:
  explicit Admin(Control& control);
  ~Admin();

  // Listens. With `off` does nothing. False and a reason on failure. `taken`: the socket of the process that we take
  // over from, which still listens there; if it is ours, too, it is that after arrive().
  bool start(const config::Admin& settings, const std::string& taken, std::string& error);
  // The other process has left.
  bool arrive(std::string& error);
  void stop();
  // "unix:/run/albatross/admin.sock" or "127.0.0.1:9900"; empty when off.
  std::string address() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

// /run/albatross/admin.sock for root, else in the user's runtime directory.
std::string default_admin_path();
bool parse_admin_address(const std::string& text, config::Bind& out);

}  // namespace albatross
