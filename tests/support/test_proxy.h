// A real Process inside the test program, on ports of the kernel's choice, with its control loop on a thread of its
// own. The configuration is written into a folder of its own, to which its relative paths refer. Stops and joins when
// destroyed.
#pragma once

#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "process/process.h"
#include "tests/support/setup.h"
#include "tests/support/socket.h"
#include "tests/support/temp_dir.h"

namespace albatross::test {

struct ProxyOptions {
  const Clock* clock = nullptr;
  std::string name_servers;
};

class TestProxy {
 public:
  explicit TestProxy(const Setup& setup, const ProxyOptions& options = {}) : TestProxy(setup.yaml(), options) {}
  // Throws with every diagnostic if it does not start.
  explicit TestProxy(const std::string& yaml, const ProxyOptions& options = {},
                     std::shared_ptr<TempDir> folder = std::make_shared<TempDir>());
  ~TestProxy();

  std::uint16_t port(const std::string& listener = "web");
  // Puts another configuration into force, and returns the result of the reload.
  ReloadResult reload(const Setup& setup) { return reload(setup.yaml()); }
  ReloadResult reload(const std::string& yaml);
  // Begins to stop, as SIGTERM does.
  void stop() { server_->stop_from_anywhere(); }
  bool stopped() const { return stopped_.load(); }
  bool wait_until_stopped(Ms patience = kPatience) const;

  // Runs on the control thread.
  template <class F>
  auto ask(F f) {
    std::promise<decltype(f(*server_))> answer;
    auto future = answer.get_future();
    boost::asio::post(server_->io(), [&] { answer.set_value(f(*server_)); });
    return future.get();
  }

  // The access log so far, an element for each line.
  std::vector<nlohmann::json> log() const;
  // Waits for that many lines; throws if they do not come.
  std::vector<nlohmann::json> log(std::size_t lines) const;
  // Whether an event contains `text`.
  bool said(const std::string& text);
  const TempDir& folder() const { return *folder_; }

 private:
  std::shared_ptr<TempDir> folder_;
  std::mutex lock_;
  std::vector<std::string> events_;
  std::unique_ptr<Process> server_;
  std::thread thread_;
  std::atomic<bool> stopped_{false};
};

}  // namespace albatross::test
