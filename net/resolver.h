// Names to addresses by c-ares, on the control thread's loop; answers with their TTL.
//
// Each watched name is asked again when its TTL (at least 1 s) runs out. An empty or failed answer keeps the last good
// one and is tried again with back-off. Changes are reported. All calls are the loop thread's.
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
  // `servers`: "127.0.0.1:5353" for tests; empty: the system's.
  Resolver(Loop& loop, OnChange on_change, const std::string& servers = {});
  ~Resolver();

  // Watches exactly these names.
  void watch(const std::vector<std::string>& names);
  // The last good answer, sorted; empty if there was none yet.
  std::vector<IpAddress> addresses(const std::string& name) const;
  // Every watched name has been answered or has failed once.
  bool settled() const;
  // Why the last try of that name failed; empty if it did not.
  std::string failure(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace albatross
