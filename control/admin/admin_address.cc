#include "control/admin/admin_address.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "config/scalar.h"

namespace albatross {
namespace {

constexpr const char* kSocket = "/admin.sock";
constexpr const char* kSystemFolder = "/run/albatross";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// systemd gives a list if a unit has several.
std::string runtime_directory() {
  const std::string list = environment("RUNTIME_DIRECTORY");
  return list.substr(0, list.find(':'));
}

std::string folder_in_tmp() { return "/tmp/albatross-" + std::to_string(::geteuid()); }

// Folders that were made for the process by somebody else: their owner and mode are kept.
bool is_given(const std::string& folder) { return folder == kSystemFolder || folder == runtime_directory(); }

std::string cannot(const std::string& folder, const std::string& why) {
  return folder + ": " + why + "; use another path with --admin unix:/path";
}

}  // namespace

std::string default_admin_path() {
  if (const std::string given = runtime_directory(); !given.empty()) return given + kSocket;
  if (::geteuid() == 0 || ::access(kSystemFolder, W_OK | X_OK) == 0) return std::string(kSystemFolder) + kSocket;
  const std::string user = environment("XDG_RUNTIME_DIR");
  return (user.empty() ? folder_in_tmp() : user + "/albatross") + kSocket;
}

std::vector<std::string> default_admin_paths() {
  std::vector<std::string> paths = {default_admin_path()};
  const auto add = [&paths](const std::string& folder) {
    if (folder + kSocket != paths[0]) paths.push_back(folder + kSocket);
  };
  if (const std::string user = environment("XDG_RUNTIME_DIR"); !user.empty()) add(user + "/albatross");
  add(folder_in_tmp());
  add(kSystemFolder);
  return paths;
}

std::string make_admin_folder(const std::string& socket) {
  const std::filesystem::path folder = std::filesystem::path(socket).parent_path();
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  if (made) return cannot(folder, made.message());
  if (is_given(folder)) {
    if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
    return cannot(folder, std::strerror(errno));
  }
  struct stat found {};
  const bool ours = ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == ::geteuid();
  if (!ours) return cannot(folder, "not a folder that this user owns");
  if (::chmod(folder.c_str(), 0700) != 0 || ::access(folder.c_str(), W_OK) != 0) {
    return cannot(folder, std::strerror(errno));
  }
  return {};
}

bool parse_admin_address(const std::string& text, config::Bind& out, bool names) {
  out.text = text;
  const bool is_path = text.starts_with("unix:") || text.starts_with('/') || text.starts_with("./");
  if (is_path) {
    const std::string path = text.starts_with("unix:") ? text.substr(5) : text;
    out.kind = config::Bind::Kind::kUnix;
    out.host = std::filesystem::absolute(path);
    out.text = "unix:" + out.host;
    return !path.empty();
  }
  const auto address = config::parse_address(text);
  if (!address.value || address.value->host.empty()) return false;
  out.kind = config::Bind::Kind::kTcp;
  out.host = address.value->host;
  out.port = address.value->port;
  return names || out.host == "localhost" || config::is_ip(out.host);
}

}  // namespace albatross
