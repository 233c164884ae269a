#include "process/state_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace albatross {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool write_all(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return ::fsync(fd) == 0;
}

}  // namespace

std::string state_folder(const config::Config& config) {
  if (!config.state_dir->empty()) return *config.state_dir;
  const std::string given = environment("STATE_DIRECTORY");  // a list if a unit has several
  if (!given.empty()) return given.substr(0, given.find(':'));
  if (const std::string user = environment("XDG_STATE_HOME"); !user.empty()) return user + "/albatross";
  const std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.local/state/albatross";
}

std::string write_state(const std::string& folder, const std::string& name, const std::string& text) {
  const std::string file = folder + "/" + name, next = file + ".new";
  std::error_code failed;
  if (std::filesystem::create_directories(folder, failed)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  }
  if (failed) return folder + ": " + failed.message();
  const int fd = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return next + ": " + std::strerror(errno);
  const bool written = write_all(fd, text);
  std::string why = written ? "" : next + ": " + std::strerror(errno);
  ::close(fd);
  if (written && ::rename(next.c_str(), file.c_str()) != 0) why = file + ": " + std::strerror(errno);
  return why;
}

std::string read_state(const std::string& folder, const std::string& name) {
  std::ifstream in(folder + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace albatross
