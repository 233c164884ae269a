// Tells when files change: written, replaced, removed, or behind a link that was. By inotify on their folders. Owned by
// whoever wants to know; control thread (Asio).
#pragma once

#include <sys/inotify.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace albatross {

class FileWatch {
 public:
  // `changed` is called once for changes that come within 100 ms. `complain` gets what cannot be watched, and why.
  FileWatch(boost::asio::io_context& io, std::function<void()> changed,
            std::function<void(const std::string&)> complain);

  // Watches these from now on, in place of those before: absolute paths, whose last part may have wildcards. They need
  // not exist, but their folders.
  void watch(std::vector<std::string> files);

 private:
  bool concerns_us(const inotify_event& e) const;
  void wait();
  void soon();

  std::function<void()> changed_;
  std::function<void(const std::string&)> complain_;
  std::vector<std::string> files_;
  std::map<int, std::string> folders_;  // by their watch; those of files before stay, but nothing in them matches
  boost::asio::posix::stream_descriptor events_;
  boost::asio::steady_timer timer_;
  alignas(inotify_event) char buffer_[4096];
};

}  // namespace albatross
