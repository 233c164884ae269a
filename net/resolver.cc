#include "net/resolver.h"

#include <ares.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "net/tcp_transport.h"

namespace albatross {

struct Resolver::Impl {
  Impl(Loop& l, OnChange changed, const std::string& servers) : loop(l), on_change(std::move(changed)) {
    static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
    (void)initialised;
    ares_options o{};
    o.sock_state_cb = on_socket;
    o.sock_state_cb_data = this;
    o.timeout = 2000;
    o.tries = 3;
    if (ares_init_options(&channel, &o, ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
      std::abort();
    if (!servers.empty()) ares_set_servers_ports_csv(channel, servers.c_str());
  }
  ~Impl() {
    closing = true;
    ares_destroy(channel);
  }

  struct Name {
    Name(Impl* i, std::string n) : impl(i), text(std::move(n)) {}
    void ask() { impl->query(*this); }
    Impl* impl;
    std::string text;
    std::vector<IpAddress> addresses;
    std::string failure;
    bool asked = false, answered = false;
    Nanos back_off = kSecond;
    MemberTimer<Name, &Name::ask> timer{this};
  };

  struct Socket final : IoHandler {
    Socket(Impl* i, int f) : impl(i), fd(f) {}
    void on_io(std::uint32_t events) override {
      Impl* owner = impl;
      int s = fd;
      bool in = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0, out = (events & EPOLLOUT) != 0;
      ares_process_fd(owner->channel, in ? s : ARES_SOCKET_BAD, out ? s : ARES_SOCKET_BAD);
      owner->schedule();
    }
    Impl* impl;
    int fd;
    std::uint32_t slot = 0;
    bool added = false;
  };

  static void on_socket(void* data, ares_socket_t fd, int readable, int writable) {
    auto* self = static_cast<Impl*>(data);
    auto it = self->sockets.find(fd);
    if (readable == 0 && writable == 0) {
      if (it == self->sockets.end()) return;
      self->loop.remove(it->second->slot, fd, true);
      self->dead.push_back(std::move(it->second));
      self->sockets.erase(it);
      return;
    }
    std::uint32_t events = (readable != 0 ? static_cast<std::uint32_t>(EPOLLIN) : 0u) |
                           (writable != 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0u);
    if (it == self->sockets.end()) {
      auto s = std::make_unique<Socket>(self, fd);
      s->slot = self->loop.add(fd, events, s.get());
      self->sockets[fd] = std::move(s);
    } else {
      self->loop.modify(it->second->slot, fd, events);
    }
  }

  void query(Name& n) {
    n.asked = true;
    // The name may be dropped before its answer comes: the callback looks it up again.
    auto* tag = new std::pair<Impl*, std::string>(this, n.text);
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NOSORT;
    ares_getaddrinfo(channel, n.text.c_str(), nullptr, &hints, on_answer, tag);
    schedule();
  }

  static void on_answer(void* data, int status, int, ares_addrinfo* result) {
    std::unique_ptr<std::pair<Impl*, std::string>> tag(static_cast<std::pair<Impl*, std::string>*>(data));
    Impl* self = tag->first;
    auto it = self->closing ? self->names.end() : self->names.find(tag->second);
    if (it != self->names.end()) self->answer(*it->second, status, result);
    if (result != nullptr) ares_freeaddrinfo(result);
  }

  void answer(Name& n, int status, ares_addrinfo* result) {
    n.answered = true;
    std::vector<IpAddress> found;
    int ttl = 300;
    for (ares_addrinfo_node* a = result != nullptr ? result->nodes : nullptr; a != nullptr; a = a->ai_next) {
      SocketAddress s{};
      std::memcpy(s.storage, a->ai_addr, a->ai_addrlen);
      s.size = a->ai_addrlen;
      found.push_back(s.ip());
      ttl = std::min(ttl, a->ai_ttl);
    }
    auto less = [](const IpAddress& a, const IpAddress& b) { return a.is_v4 != b.is_v4 ? a.is_v4 : a.bytes < b.bytes; };
    std::sort(found.begin(), found.end(), less);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (found.empty()) {
      n.failure = status == ARES_SUCCESS ? "no address" : ares_strerror(status);
      loop.set_timer(n.timer, loop.now() + n.back_off);
      n.back_off = std::min(n.back_off * 2, 30 * kSecond);
      return;
    }
    n.failure.clear();
    n.back_off = kSecond;
    loop.set_timer(n.timer, loop.now() + static_cast<Nanos>(std::max(ttl, 1)) * kSecond);
    if (found != n.addresses) {
      n.addresses = std::move(found);
      on_change(n.text);
    }
  }

  // c-ares must be called when its own timeouts are due.
  void schedule() {
    dead.clear();
    timeval tv;
    timeval* t = ares_timeout(channel, nullptr, &tv);
    if (t == nullptr) return loop.cancel_timer(timer);
    Nanos wait = static_cast<Nanos>(t->tv_sec) * kSecond + static_cast<Nanos>(t->tv_usec) * 1000;
    loop.set_timer(timer, loop.now() + wait + kMilli);
  }
  void on_timeout() {
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    schedule();
  }

  Loop& loop;
  OnChange on_change;
  ares_channel channel = nullptr;
  bool closing = false;
  std::map<int, std::unique_ptr<Socket>> sockets;
  std::vector<std::unique_ptr<Socket>> dead;
  std::map<std::string, std::unique_ptr<Name>> names;
  MemberTimer<Impl, &Impl::on_timeout> timer{this};
};

Resolver::Resolver(Loop& loop, OnChange on_change, const std::string& servers)
    : impl_(std::make_unique<Impl>(loop, std::move(on_change), servers)) {}
Resolver::~Resolver() = default;

void Resolver::watch(const std::vector<std::string>& names) {
  std::set<std::string> wanted(names.begin(), names.end());
  std::erase_if(impl_->names, [&](const auto& n) { return !wanted.contains(n.first); });
  for (const std::string& text : wanted) {
    auto& n = impl_->names[text];
    if (!n) n = std::make_unique<Impl::Name>(impl_.get(), text);
  }
  for (auto& [text, n] : impl_->names) {
    if (!n->asked) impl_->query(*n);
  }
}

std::vector<IpAddress> Resolver::addresses(const std::string& name) const {
  auto it = impl_->names.find(name);
  return it == impl_->names.end() ? std::vector<IpAddress>() : it->second->addresses;
}

bool Resolver::settled() const {
  return std::all_of(impl_->names.begin(), impl_->names.end(), [](const auto& n) { return n.second->answered; });
}

std::string Resolver::failure(const std::string& name) const {
  auto it = impl_->names.find(name);
  return it == impl_->names.end() ? "" : it->second->failure;
}

}  // namespace albatross
