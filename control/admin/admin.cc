#include "control/admin/admin.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <list>

#include "control/admin/admin_address.h"
#include "control/admin/admin_http.h"

namespace albatross {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;
using Tcp = asio::ip::tcp;

namespace {

struct UnixPlace {
  Local::acceptor acceptor;
  std::string path;
  std::string waiting;  // where it listens until arrive()
};

std::string listen_unix(Local::acceptor& acceptor, asio::io_context& io, const std::string& at) {
  boost::system::error_code ec;
  if (at.size() >= sizeof(sockaddr_un::sun_path)) return "the path is too long";
  Local::socket probe(io);
  probe.connect(Local::endpoint(at), ec);
  if (!ec) return "another albatross uses this socket: use --admin unix:/path for another one, or --admin off";
  if (ec == asio::error::connection_refused) ::unlink(at.c_str());  // left over from a process that died
  const mode_t old = ::umask(0177);                                 // mode 0600 from its first moment
  ec.clear();
  acceptor.open(Local(), ec);
  if (!ec) acceptor.bind(Local::endpoint(at), ec);
  if (!ec) acceptor.listen(64, ec);
  ::umask(old);
  return ec ? ec.message() : "";
}

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

// The first process binds without SO_REUSEPORT and sets it afterwards, so that a second one fails, unless it takes over
// and says `shared`: then both listen until the first one leaves.
boost::system::error_code listen_tcp(Tcp::acceptor& acceptor, const config::Bind& bind, bool shared) {
  boost::system::error_code ec;
  const std::string host = bind.host == "localhost" ? "127.0.0.1" : bind.host.empty() ? "::" : bind.host;
  const Tcp::endpoint at(asio::ip::make_address(host, ec), bind.port);
  if (!ec) acceptor.open(at.protocol(), ec);
  if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec && bind.host.empty()) acceptor.set_option(asio::ip::v6_only(false), ec);
  if (!ec && shared) acceptor.set_option(ReusePort(true), ec);
  if (!ec) acceptor.bind(at, ec);
  if (!ec && !shared) acceptor.set_option(ReusePort(true), ec);
  if (!ec) acceptor.listen(64, ec);
  return ec;
}

std::string to_text(const Tcp::endpoint& at) {
  const std::string host = at.address().to_string();
  return (at.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(at.port());
}

}  // namespace

struct Admin::Impl : std::enable_shared_from_this<Admin::Impl> {
  explicit Impl(Control& c) : control(c) {}

  template <class Acceptor>
  void accept(Acceptor& acceptor) {
    acceptor.async_accept([self = shared_from_this(), &acceptor](boost::system::error_code ec, auto socket) {
      if (ec == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (!ec) serve_admin(self->control, self->settings, std::move(socket));
      self->accept(acceptor);
    });
  }

  std::string start_unix(const std::string& path, const std::string& taken) {
    UnixPlace place{Local::acceptor(control.io()), path, {}};
    if (path == taken) place.waiting = path + "." + std::to_string(::getpid());
    std::string why = listen_unix(place.acceptor, control.io(), place.waiting.empty() ? path : place.waiting);
    if (!why.empty()) return "unix:" + path + ": " + why;
    accept(unix_places.emplace_back(std::move(place)).acceptor);
    addresses.push_back("unix:" + path);
    return {};
  }

  // `shared`: the process that this one takes over from may listen there, too.
  std::string start_tcp(const config::Bind& bind, bool shared) {
    Tcp::acceptor acceptor(control.io());
    const boost::system::error_code ec = listen_tcp(acceptor, bind, shared);
    if (ec) return bind.text + ": " + ec.message();
    addresses.push_back(to_text(acceptor.local_endpoint()));
    accept(tcp_acceptors.emplace_back(std::move(acceptor)));
    return {};
  }

  Control& control;
  AdminSettings settings;
  std::list<UnixPlace> unix_places;
  std::list<Tcp::acceptor> tcp_acceptors;
  std::vector<std::string> addresses;
};

Admin::Admin(Control& control) : impl_(std::make_shared<Impl>(control)) {}
Admin::~Admin() { stop(); }

std::vector<std::string> Admin::addresses() const { return impl_->addresses; }

bool Admin::start(const config::Admin& settings, const std::string& taken, std::string& error) {
  if (settings.off) return true;
  Impl& i = *impl_;
  i.settings.token = *settings.token;
  for (const auto& host : settings.hosts) i.settings.hosts.push_back(*host);
  for (const config::Bind& bind : settings.binds) {
    error = bind.kind == config::Bind::Kind::kTcp ? i.start_tcp(bind, !taken.empty()) : i.start_unix(bind.host, taken);
    if (!error.empty()) return false;
  }
  if (!settings.binds.empty()) return true;
  const std::string path = default_admin_path();
  error = make_admin_folder(path);
  if (error.empty()) error = i.start_unix(path, taken);
  return error.empty();
}

bool Admin::arrive(std::string& error) {
  bool good = true;
  for (UnixPlace& place : impl_->unix_places) {
    if (place.waiting.empty()) continue;
    if (::rename(place.waiting.c_str(), place.path.c_str()) != 0) {
      good = false;
      error = place.path + ": " + std::strerror(errno);
    }
    place.waiting.clear();
  }
  return good;
}

void Admin::stop() {
  boost::system::error_code ignored;  // closing anyway
  for (UnixPlace& place : impl_->unix_places) {
    place.acceptor.close(ignored);
    // While it waits, the path is still the other process's.
    ::unlink((place.waiting.empty() ? place.path : place.waiting).c_str());
    place.path = place.waiting = "";
  }
  for (Tcp::acceptor& acceptor : impl_->tcp_acceptors) acceptor.close(ignored);
}

}  // namespace albatross
