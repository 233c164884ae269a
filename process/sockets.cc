#include "process/sockets.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace albatross {
namespace {

void close_all_of(std::vector<ListenSocket>& sockets) {
  for (ListenSocket& s : sockets) {
    if (s.fd >= 0) ::close(s.fd);
    s.fd = -1;  // the address stays
  }
}

// Closes the descriptors when the last copy of the result is destroyed.
std::shared_ptr<void> close_later(std::vector<int> fds) {
  return {nullptr, [fds = std::move(fds)](void*) {
            for (int fd : fds) ::close(fd);
          }};
}

void unlink_unix(const SocketAddress& address) {
  if (address.family() == AF_UNIX) ::unlink(address.to_string().substr(5).c_str());
}

}  // namespace

std::string Sockets::key(const config::Listener& listener) {
  SocketAddress address;
  std::string error;
  // open_missing() refuses a text that is not an address.
  if (!address_of(listener.bind, address, error)) return listener.bind.text;
  return address.port() == 0 && address.family() != AF_UNIX ? address.to_string() + " " + *listener.name
                                                            : address.to_string();
}

bool Sockets::address_of(const config::Bind& bind, SocketAddress& out, std::string& error) {
  if (bind.kind == config::Bind::Kind::kUnix) {
    out = SocketAddress::unix_path(bind.host);
    if (out.size == 0) error = "the socket's path is too long";
    return out.size != 0;
  }
  if (bind.host.empty()) {
    out = any_address(bind.port);
    return true;
  }
  auto address = SocketAddress::parse(bind.host == "localhost" ? "127.0.0.1" : bind.host, bind.port);
  if (!address) {
    error = "a listener binds to an address, not to a name";
    return false;
  }
  out = *address;
  return true;
}

bool Sockets::open_missing(const config::Config& config, const std::set<std::string>& drained, Map& opened,
                           config::Diagnostics& out) {
  bool ok = true;
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    const config::Listener& l = config.listeners[i];
    const std::string path = "listeners[" + std::to_string(i) + "].bind";
    std::string error;
    Open o;
    if (!address_of(l.bind, o.wanted, error)) {
      out.error(l.bind.at, path, error, "");
      ok = false;
      continue;
    }
    const auto now = open_.find(key(l));
    const bool is_drained = drained.contains(l.name);
    if (now != open_.end() && (now->second.sockets[0].fd >= 0 || is_drained)) continue;
    if (is_drained && open_.empty()) {
      o.sockets = {{-1, o.wanted}};  // drained in the process before this one, too
    } else {
      o.sockets = taken(l, o.wanted);
      if (o.sockets.empty()) o.sockets = open_listeners(o.wanted, workers_, error);
    }
    if (o.sockets.empty()) {
      out.error(l.bind.at, path, "cannot listen on " + o.wanted.to_string() + ": " + error,
                error == "Address already in use" ? "another process uses it" : "");
      ok = false;
      continue;
    }
    opened[key(l)] = std::move(o);
  }
  if (!ok) close(opened);
  return ok;
}

// The sockets of the process before this one, if it has that address.
std::vector<ListenSocket> Sockets::taken(const config::Listener& l, const SocketAddress& wanted) {
  for (auto it = taken_.begin(); it != taken_.end(); ++it) {
    if (it->wanted != wanted.to_string() || (wanted.port() == 0 && it->name != *l.name)) continue;
    std::vector<ListenSocket> sockets = std::move(it->sockets);
    taken_.erase(it);
    return sockets;
  }
  return {};
}

void Sockets::close_taken() {
  for (auto& l : taken_) close_all_of(l.sockets);
  taken_.clear();
}

void Sockets::close(Map& opened) {
  for (auto& [name, o] : opened) close_all_of(o.sockets);
  opened.clear();
}

bool Sockets::add_siblings(Map& opened, std::string& error) const {
  for (auto& [name, o] : opened) {
    const int missing = workers_ - static_cast<int>(o.sockets.size());
    if (o.wanted.family() == AF_UNIX || o.sockets[0].fd < 0 || missing <= 0) continue;
    std::vector<ListenSocket> more = add_listeners(o.sockets[0].address, missing, error);
    if (more.empty()) {
      error = "cannot listen on " + o.wanted.to_string() + " for each worker: " + error;
      return false;
    }
    o.sockets.insert(o.sockets.end(), more.begin(), more.end());
  }
  return true;
}

void Sockets::adopt(Map opened) {
  for (auto& [name, o] : opened) open_[name] = std::move(o);
}

std::shared_ptr<void> Sockets::drop_unwanted(const Snapshot& next) {
  std::vector<int> fds;
  std::erase_if(open_, [&](auto& entry) {
    auto wants = [&](const auto& l) { return l->bind == entry.first; };
    if (std::any_of(next.listeners.begin(), next.listeners.end(), wants)) return false;
    for (const ListenSocket& s : entry.second.sockets) {
      if (s.fd >= 0) fds.push_back(s.fd);
    }
    unlink_unix(entry.second.wanted);
    return true;
  });
  return close_later(std::move(fds));
}

std::shared_ptr<void> Sockets::leave(const std::string& key) {
  std::vector<int> fds;
  for (ListenSocket& s : open_.at(key).sockets) {
    if (s.fd >= 0) fds.push_back(std::exchange(s.fd, -1));
  }
  return close_later(std::move(fds));
}

bool Sockets::reopen(const std::string& key, std::string& error) {
  Open& o = open_.at(key);
  std::vector<ListenSocket> sockets = open_listeners(o.sockets[0].address, workers_, error);
  if (sockets.empty()) {
    error = "cannot listen on " + o.sockets[0].address.to_string() + ": " + error;
    return false;
  }
  o.sockets = std::move(sockets);
  return true;
}

void Sockets::close_all(bool unlink) {
  for (auto& [name, o] : open_) {
    close_all_of(o.sockets);
    if (unlink) unlink_unix(o.wanted);
  }
}

std::vector<WorkerListen> Sockets::of_worker(const Snapshot& snapshot, int i) const {
  std::vector<WorkerListen> out;
  for (const auto& l : snapshot.listeners) {
    const Open& o = open_.at(l->bind);
    if (o.sockets[0].fd < 0) continue;
    if (o.wanted.family() == AF_UNIX) {
      out.push_back({l->name, o.sockets[0].fd, true});
      continue;
    }
    for (std::size_t n = static_cast<std::size_t>(i); n < o.sockets.size(); n += static_cast<std::size_t>(workers_)) {
      out.push_back({l->name, o.sockets[n].fd, false});
    }
  }
  return out;
}

std::map<std::string, std::uint16_t> Sockets::ports(const config::Config& config, const Map& extra) const {
  std::map<std::string, std::uint16_t> out;
  for (const config::Listener& l : config.listeners) {
    for (const Map* map : {&open_, &extra}) {
      if (auto it = map->find(key(l)); it != map->end()) out[l.name] = it->second.sockets[0].address.port();
    }
  }
  return out;
}

const Sockets::Open* Sockets::find(const std::string& key) const {
  auto it = open_.find(key);
  return it != open_.end() ? &it->second : nullptr;
}

bool Sockets::is_open(const std::string& key) const {
  const Open* o = find(key);
  return o != nullptr && o->sockets[0].fd >= 0;
}

std::vector<HandOver::Listener> Sockets::to_hand_over(const Snapshot& snapshot) const {
  std::vector<HandOver::Listener> out;
  for (const auto& l : snapshot.listeners) {
    const Open& o = open_.at(l->bind);
    if (o.sockets[0].fd >= 0) out.push_back({l->name, o.wanted.to_string(), o.sockets});
  }
  return out;
}

}  // namespace albatross
