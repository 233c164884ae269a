#include "control/admin/admin.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "control/admin/admin_http.h"

namespace albatross {

namespace asio = boost::asio;

struct Admin::Impl : std::enable_shared_from_this<Admin::Impl> {
  explicit Impl(Control& c) : control(c), unix_acceptor(c.io()), tcp_acceptor(c.io()) {}

  template <class Acceptor>
  void accept(Acceptor& acceptor) {
    acceptor.async_accept([self = shared_from_this(), &acceptor](boost::system::error_code ec, auto socket) {
      if (ec == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (!ec) serve_admin(self->control, self->settings, std::move(socket));
      self->accept(acceptor);
    });
  }

  bool listen_unix(const std::string& at, std::string& error) {
    using Local = asio::local::stream_protocol;
    boost::system::error_code ec;
    if (at.size() >= sizeof(sockaddr_un::sun_path)) {
      error = "the path is too long";
      return false;
    }
    Local::socket probe(control.io());
    probe.connect(Local::endpoint(at), ec);
    if (!ec) {
      error = "another albatross answers there; give this one its own with --admin unix:/path, or --admin off";
      return false;
    }
    if (ec == asio::error::connection_refused) ::unlink(at.c_str());  // left over from a process that died
    mode_t old = ::umask(0177);                                       // mode 0600 from its first moment
    ec.clear();
    unix_acceptor.open(Local(), ec);
    if (!ec) unix_acceptor.bind(Local::endpoint(at), ec);
    if (!ec) unix_acceptor.listen(64, ec);
    ::umask(old);
    error = ec.message();
    return !ec;
  }

  Control& control;
  AdminSettings settings;
  asio::local::stream_protocol::acceptor unix_acceptor;
  asio::ip::tcp::acceptor tcp_acceptor;
  std::string path;
  std::string waiting;  // where it listens until arrive()
  std::string address;
};

Admin::Admin(Control& control) : impl_(std::make_shared<Impl>(control)) {}
Admin::~Admin() { stop(); }

std::string Admin::address() const { return impl_->address; }

std::string default_admin_path() {
  if (::geteuid() == 0) return "/run/albatross/admin.sock";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && *runtime != 0) return std::string(runtime) + "/albatross/admin.sock";
  return "/tmp/albatross-" + std::to_string(::geteuid()) + "/admin.sock";
}

bool parse_admin_address(const std::string& text, config::Bind& out) {
  out.text = text;
  if (text.compare(0, 5, "unix:") == 0) {
    out.kind = config::Bind::Kind::kUnix;
    out.host = std::filesystem::absolute(text.substr(5));
    return text.size() > 5;
  }
  std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return false;
  out.kind = config::Bind::Kind::kTcp;
  out.host = text.substr(0, colon);
  if (out.host.size() > 2 && out.host.front() == '[') out.host = out.host.substr(1, out.host.size() - 2);
  char* end = nullptr;
  unsigned long port = std::strtoul(text.c_str() + colon + 1, &end, 10);
  if (*end != 0 || port > 65535 || colon + 1 == text.size()) return false;
  out.port = static_cast<std::uint16_t>(port);
  return out.host == "localhost" || IpAddress::parse(out.host).has_value();
}

bool Admin::start(const config::Admin& settings, const std::string& taken, std::string& error) {
  if (settings.off) return true;
  Impl& i = *impl_;
  boost::system::error_code ec;
  if (!settings.bind.text.empty() && settings.bind.kind == config::Bind::Kind::kTcp) {
    i.settings.is_tcp = true;
    i.settings.token = *settings.token;
    auto ip = asio::ip::make_address(settings.bind.host.empty()          ? "0.0.0.0"
                                     : settings.bind.host == "localhost" ? "127.0.0.1"
                                                                         : settings.bind.host,
                                     ec);
    asio::ip::tcp::endpoint at(ip, settings.bind.port);
    if (!ec) i.tcp_acceptor.open(at.protocol(), ec);
    if (!ec) i.tcp_acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) i.tcp_acceptor.bind(at, ec);
    if (!ec) i.tcp_acceptor.listen(64, ec);
    if (ec) {
      error = settings.bind.text + ": " + ec.message();
      return false;
    }
    at = i.tcp_acceptor.local_endpoint();
    i.address = (at.address().is_v6() ? "[" + at.address().to_string() + "]" : at.address().to_string()) + ":" +
                std::to_string(at.port());
    i.accept(i.tcp_acceptor);
    return true;
  }
  bool is_default = settings.bind.text.empty();
  i.path = is_default ? default_admin_path() : settings.bind.host;
  if (is_default) {
    std::error_code ignored;  // the checks below say what is wrong
    std::filesystem::create_directories(std::filesystem::path(i.path).parent_path(), ignored);
    struct stat folder {};
    if (::lstat(std::filesystem::path(i.path).parent_path().c_str(), &folder) != 0 || !S_ISDIR(folder.st_mode) ||
        folder.st_uid != ::geteuid() || ::chmod(std::filesystem::path(i.path).parent_path().c_str(), 0700) != 0) {
      error = std::filesystem::path(i.path).parent_path().string() +
              ": not a folder of this user; name another with --admin unix:/path";
      return false;
    }
  }
  if (i.path == taken) i.waiting = i.path + "." + std::to_string(::getpid());
  if (!i.listen_unix(i.waiting.empty() ? i.path : i.waiting, error)) {
    error = "unix:" + i.path + ": " + error;
    i.path.clear();
    return false;
  }
  i.address = "unix:" + i.path;
  i.accept(i.unix_acceptor);
  return true;
}

bool Admin::arrive(std::string& error) {
  if (impl_->waiting.empty()) return true;
  const bool good = ::rename(impl_->waiting.c_str(), impl_->path.c_str()) == 0;
  if (!good) error = impl_->path + ": " + std::strerror(errno);
  impl_->waiting.clear();
  return good;
}

void Admin::stop() {
  if (!impl_->waiting.empty()) {
    ::unlink(impl_->waiting.c_str());
    impl_->path.clear();  // the path is still the other process's
  }
  boost::system::error_code ignored;  // closing anyway
  impl_->unix_acceptor.close(ignored);
  impl_->tcp_acceptor.close(ignored);
  if (!impl_->path.empty()) ::unlink(impl_->path.c_str());
  impl_->path.clear();
}

}  // namespace albatross
