// A TLS client and server over a socketpair on one loop.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>

#include "tests/unit/tls/tls_files.h"
#include "tls/ticket_keys.h"
#include "tls/tls_client.h"
#include "tls/tls_server.h"
#include "tls/tls_transport.h"

namespace albatross::tls_test {

struct Contexts {
  TlsFiles files;
  std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>();
  std::shared_ptr<TlsServer> server;
  std::shared_ptr<TlsClient> client;

  explicit Contexts(const char* policy = "tls_cipher_policy_1_2_strict_with_1_3") {
    files.make("first", {"first.test"});
    files.make("second", {"second.test", "*.wild.test"});
    server = make_server(policy);
    client = make_client("first.test", "first.pem");
  }
  std::shared_ptr<TlsServer> make_server(const char* policy) {
    config::Listener listener;
    listener.name = config::Value<std::string>("web");
    listener.security_policy = config::Value<std::string>(policy);
    for (const char* name : {"first", "second"}) {
      config::Certificate c;
      c.cert = config::Value<std::string>(files.path(std::string(name) + ".pem"));
      c.key = config::Value<std::string>(files.path(std::string(name) + ".key"));
      listener.certificates.push_back(c);
    }
    config::Diagnostics out("f.yaml", "");
    auto made = TlsServer::create(listener, "listeners[0]", tickets, out);
    REQUIRE(made != nullptr);
    return made;
  }
  std::shared_ptr<TlsClient> make_client(const std::string& host, const std::string& ca, bool verify = true) {
    config::UpstreamTls settings;
    settings.ca = config::Value<std::string>(files.path(ca));
    settings.verify = config::Value<bool>(verify);
    config::Diagnostics out("f.yaml", "");
    auto made = TlsClient::create(settings, host, false, "server_groups[0]", out);
    REQUIRE(made != nullptr);
    return made;
  }
};

struct End final : Ready {
  void on_ready() override {}
  std::unique_ptr<Transport> t;
  IoStatus opened = IoStatus::kAgain;
  std::string got;
  IoStatus ended = IoStatus::kOk;

  void open() {
    if (opened == IoStatus::kAgain) opened = t->open().status;
  }
  void read(std::size_t size = 16 * 1024) {
    std::string into(size, ' ');
    while (opened == IoStatus::kOk && ended == IoStatus::kOk && t->can_read()) {
      IoResult r = t->read(into.data(), size);
      if (r.status == IoStatus::kOk) {
        got.append(into.data(), r.bytes);
      } else if (r.status != IoStatus::kAgain) {
        ended = r.status;
      }
    }
  }
  // Everything, or until the transport has no room.
  std::size_t write(std::string_view bytes) {
    if (!t->can_write() && t->pending() > 0) return 0;
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    IoResult r = t->write(&part, 1);
    return r.status == IoStatus::kOk ? r.bytes : 0;
  }
};

struct TlsPair {
  explicit TlsPair(Contexts& contexts, int buffer = 0) : TlsPair(*contexts.server, *contexts.client, buffer) {}
  TlsPair(TlsServer& s, TlsClient& c, int buffer = 0) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    for (int fd : fds) {
      if (buffer > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    server_fd = fds[0];
    client_fd = fds[1];
    server.t = s.accept(loop, server, fds[0], false);
    client.t = c.connect(loop, client, fds[1]);
  }
  // Turns the loop and lets both ends do what they can.
  void run(int turns = 10) {
    for (int i = 0; i < turns; ++i) {
      loop.turn(0);
      for (End* e : {&server, &client}) {
        if (!e->t->is_open()) continue;
        e->open();
        if (e->t->pending() > 0 && e->t->can_write()) e->t->flush();
        if (reading) e->read();
      }
    }
  }
  void handshake() {
    run(20);
    REQUIRE(server.opened == IoStatus::kOk);
    REQUIRE(client.opened == IoStatus::kOk);
  }

  Clock clock;
  Loop loop{clock};
  End server, client;
  int server_fd, client_fd;
  bool reading = true;
};

}  // namespace albatross::tls_test
