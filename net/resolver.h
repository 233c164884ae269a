// Resolves names to addresses by c-ares, on the control thread's loop, and keeps them up to date.
//
// Each watched name is asked for again when its TTL (at least 1 s) runs out. After an empty or failed answer the last
// good one stays, and the name is asked for again after 1 s, later up to 30 s. One thread: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "net/loop.h"

namespace albatross {

class Resolver {
 public:
  using OnChange = std::function<void(const std::string& name)>;
  // `on_change` is called when the addresses of a name have changed. `servers`: DNS servers as "127.0.0.1:5353", for
  // tests; empty: the system's.
  Resolver(Loop& loop, OnChange on_change, const std::string& servers = {});
  ~Resolver();

  // Watches exactly these names from now on; those watched already keep their addresses.
  void watch(const std::vector<std::string>& names);
  // The last good answer, sorted; empty if there was none yet.
  std::vector<IpAddress> addresses(const std::string& name) const;
  // Whether every watched name has been answered or has failed at least once.
  bool settled() const;
  // Why the last answer for that name gave no address; empty if it gave one.
  std::string failure(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace albatross
