// Listening sockets: opened, taken over, drained and left. Control thread.
#include <unistd.h>

#include <algorithm>

#include "process/process.h"
#include "tls/tls_server.h"

namespace albatross {
namespace {

void close_all(std::vector<ListenSocket>& sockets) {
  for (ListenSocket& s : sockets) {
    if (s.fd >= 0) ::close(s.fd);
    s.fd = -1;  // the address is kept
  }
}

}  // namespace

bool Process::address_of(const config::Bind& bind, SocketAddress& out, std::string& error) {
  if (bind.kind == config::Bind::Kind::kUnix) {
    out = SocketAddress::unix_path(bind.host);
    if (out.size == 0) error = "the socket's path is too long";
    return out.size != 0;
  }
  if (bind.host.empty()) {
    out = any_address(bind.port);
    return true;
  }
  std::string host = bind.host == "localhost" ? "127.0.0.1" : bind.host;
  auto ip = IpAddress::parse(host);
  if (!ip) {
    error = "a listener binds to an address, not to a name";
    return false;
  }
  out = SocketAddress::tcp(*ip, bind.port);
  return true;
}

// Opens what the configuration listens on and is not open yet. On failure closes what this call opened.
bool Process::open_missing(const config::Config& config, OpenListeners& opened, config::Diagnostics& out) {
  bool ok = true;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    std::string path = "listeners[" + std::to_string(i) + "].bind";
    std::string error;
    OpenListener o;
    if (!address_of(l.bind, o.wanted, error)) {
      out.error(l.bind.at, path, error, "");
      ok = false;
      continue;
    }
    auto old = listeners_.find(l.name);
    if (old != listeners_.end() && old->second.wanted == o.wanted) continue;
    if (old == listeners_.end() && overrides_.drained_listeners.contains(l.name)) {
      // As in the process before us.
      o.sockets = {{-1, o.wanted}};
      opened[l.name] = std::move(o);
      continue;
    }
    take_sockets(l.name, o);
    if (o.sockets.empty()) o.sockets = open_listeners(o.wanted, workers_wanted_, error);
    if (o.sockets.empty()) {
      out.error(l.bind.at, path, "cannot listen on " + o.wanted.to_string() + ": " + error,
                error == "Address already in use" ? "another process has it" : "");
      ok = false;
      continue;
    }
    opened[l.name] = std::move(o);
  }
  if (ok) return true;
  close(opened);
  return false;
}

void Process::close(OpenListeners& opened) {
  for (auto& [name, l] : opened) close_all(l.sockets);
  opened.clear();
}

// From the process before us, if it has that address.
void Process::take_sockets(const std::string& name, OpenListener& into) {
  for (auto it = taken_.begin(); it != taken_.end(); ++it) {
    if (it->wanted != into.wanted.to_string() || (into.wanted.port() == 0 && it->name != name)) continue;
    into.sockets = std::move(it->sockets);
    taken_.erase(it);
    return;
  }
}

// Each worker needs one. Not before they are about to accept: the kernel gives the new ones their share at once.
bool Process::add_siblings(OpenListeners& opened, std::string& error) {
  for (auto& [name, l] : opened) {
    int missing = workers_wanted_ - static_cast<int>(l.sockets.size());
    if (l.wanted.family() == AF_UNIX || l.sockets[0].fd < 0 || missing <= 0) continue;
    std::vector<ListenSocket> more = add_listeners(l.sockets[0].address, missing, error);
    if (more.empty()) {
      error = "cannot listen on " + l.wanted.to_string() + " for each worker: " + error;
      return false;
    }
    l.sockets.insert(l.sockets.end(), more.begin(), more.end());
  }
  return true;
}

// What each worker accepts from. It adopts the surplus of a process that had more workers.
std::vector<WorkerListen> Process::listens_of(const std::string& name, std::size_t worker) const {
  const OpenListener& o = listeners_.at(name);
  if (o.sockets[0].fd < 0) return {};
  if (o.wanted.family() == AF_UNIX) return {{name, o.sockets[0].fd, true}};
  std::vector<WorkerListen> out;
  for (std::size_t i = worker; i < o.sockets.size(); i += workers_.size())
    out.push_back({name, o.sockets[i].fd, false});
  return out;
}

std::map<std::string, std::uint16_t> Process::port_numbers(const OpenListeners& extra) const {
  std::map<std::string, std::uint16_t> out;
  for (const auto& [name, l] : listeners_) out[name] = l.sockets[0].address.port();
  for (const auto& [name, l] : extra) out[name] = l.sockets[0].address.port();
  return out;
}

// New connections are refused from here on.
void Process::close_listeners() {
  for (auto& [name, l] : listeners_) {
    close_all(l.sockets);
    if (l.wanted.family() == AF_UNIX && !handed_over_ && !handing_over_)
      ::unlink(l.wanted.to_string().substr(5).c_str());
  }
}

// ---- a listener drains ----

const ListenerRuntime* Process::find_listener(const std::string& name, ControlResult& out) const {
  if (!takes_changes(out)) return nullptr;
  std::vector<std::string> known;
  for (const auto& l : snapshot_->listeners) {
    if (l->name == name) return l.get();
    known.push_back(l->name);
  }
  out = not_found("no listener is named " + name, known);
  return nullptr;
}

ControlResult Process::drain_listener(const std::string& name, std::optional<Nanos> window, bool dry_run,
                                      Drained done) {
  ControlResult r;
  if (find_listener(name, r) == nullptr) return r;
  if (overrides_.drained_listeners.contains(name))
    return {ControlResult::Code::kRefused, "listener " + name + " is drained already", {}};
  Nanos within = window.value_or(static_cast<Nanos>(config_->shutdown.drain->count()) * kMilli);
  r.message = "draining listener " + name + " for at most " + std::to_string(within / kSecond) + " s";
  if (overrides_.drained_listeners.size() + 1 == snapshot_->listeners.size())
    r.warnings.push_back("no other listener takes connections");
  if (dry_run) return r;
  overrides_.drained_listeners.insert(name);
  note(r.message);
  leave_listener(name, within, std::move(done));
  return r;
}

// The last worker to have left its sockets closes them.
void Process::leave_listener(const std::string& name, Nanos window, Drained done) {
  std::vector<ListenSocket>& sockets = listeners_.at(name).sockets;
  std::shared_ptr<void> close_after(nullptr, [sockets](void*) mutable { close_all(sockets); });
  for (ListenSocket& s : sockets) s.fd = -1;
  auto part = sum_of_workers([this, name, done](const DrainReport& report) {
    note_drained("listener " + name, report);
    if (done) done(report);
  });
  for (auto& w : workers_) {
    Worker* worker = w.get();
    worker->loop().post([worker, name, window, part, close_after] { worker->drain_listener(name, window, part); });
  }
}

ControlResult Process::undrain_listener(const std::string& name, bool dry_run) {
  ControlResult r;
  if (find_listener(name, r) == nullptr) return r;
  const bool drained = overrides_.drained_listeners.contains(name);
  r.message = "listener " + name + (drained ? " takes connections again" : " is not draining");
  if (dry_run || !drained) return r;
  OpenListener& l = listeners_.at(name);
  std::string error;
  std::vector<ListenSocket> sockets = open_listeners(l.sockets[0].address, workers_wanted_, error);
  if (sockets.empty())
    return {ControlResult::Code::kRefused, "cannot listen on " + l.sockets[0].address.to_string() + ": " + error, {}};
  l.sockets = std::move(sockets);
  overrides_.drained_listeners.erase(name);
  note(r.message);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker* worker = workers_[i].get();
    worker->loop().post([worker, name, listens = listens_of(name, i)] { worker->reopen(name, listens); });
  }
  return r;
}

}  // namespace albatross
