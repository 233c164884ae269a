#include "net/file_watch.h"

#include <fnmatch.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>

namespace albatross {

FileWatch::FileWatch(boost::asio::io_context& io, std::function<void()> changed,
                     std::function<void(const std::string&)> complain)
    : changed_(std::move(changed)), complain_(std::move(complain)), events_(io), timer_(io) {
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    complain_(std::string("cannot watch files: ") + std::strerror(errno));
    return;
  }
  events_.assign(fd);
  wait();
}

void FileWatch::watch(std::vector<std::string> files) {
  files_ = std::move(files);
  if (!events_.is_open()) return;
  for (const std::string& file : files_) {
    const std::string folder = file.substr(0, file.rfind('/'));
    const std::uint32_t what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
    const int watch = inotify_add_watch(events_.native_handle(), folder.empty() ? "/" : folder.c_str(), what);
    if (watch >= 0) {
      folders_[watch] = folder;
    } else {
      complain_("cannot watch " + folder + ": " + std::strerror(errno) + "; changes in it are not noticed");
    }
  }
}

bool FileWatch::concerns_us(const inotify_event& e) const {
  if (e.len == 0) return false;
  if (std::string_view(e.name) == "..data") return true;  // Kubernetes replaces a link of that name beside the files
  const auto folder = folders_.find(e.wd);
  const std::string path = folder == folders_.end() ? "" : folder->second + "/" + e.name;
  return std::any_of(files_.begin(), files_.end(), [&path](const std::string& pattern) {
    return pattern == path || ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
  });
}

void FileWatch::wait() {
  events_.async_read_some(boost::asio::buffer(buffer_), [this](boost::system::error_code ec, std::size_t n) {
    if (ec) return;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= n;) {
      const auto* e = reinterpret_cast<const inotify_event*>(buffer_ + at);
      if (concerns_us(*e)) soon();
      at += sizeof(inotify_event) + e->len;
    }
    wait();
  });
}

void FileWatch::soon() {
  timer_.expires_after(std::chrono::milliseconds(100));
  timer_.async_wait([this](boost::system::error_code ec) {
    if (!ec) changed_();
  });
}

}  // namespace albatross
