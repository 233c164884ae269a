// The server's side of one exchange: choose a group and a server, wait for room, acquire a connection, forward; when a
// try fails, another one on another server, where that is safe (RFC 9110 §9.2.2). A member of an Exchange; worker's
// thread.
#pragma once

#include <array>

#include "proxy/exchange/request.h"
#include "proxy/exchange/try.h"
#include "proxy/upstream/group.h"

namespace albatross {

class ForwardingOwner {
 public:
  // No try is left: the client gets an answer of ours.
  virtual void answer(const Error& error) = 0;
  // The server's side of a tunnel has gone. `clean`: what was sent still goes to the client.
  virtual void end_tunnel(bool clean) = 0;
  // The request is with a server; deadlines have changed.
  virtual void set_deadlines() = 0;
  // The timer is to look at the deadlines.
  virtual void rearm() = 0;

 protected:
  ~ForwardingOwner() = default;
};

class Forwarding final : private TryEvents {
 public:
  static constexpr int kMaxTries = 6;  // with those that were given back

  // All outlive this. `flow` holds the leases.
  Forwarding(Request& request, ForwardingOwner& owner, ResponseEvents& response, Flow& flow)
      : r_(request), owner_(owner), flow_(flow), try_(*this, response) {}

  // A new request, nothing chosen.
  void begin();
  // By the route that matched.
  void start(const Route& route);
  // Room may be there. False: it must go on waiting.
  bool leave_queue();
  // Whatever the request waits for or runs on; it will not be forwarded any more. The lease stays.
  void cancel();

  // May the request be sent to another server after this answer, or (0) after none in time? Takes a token of the
  // budget.
  bool may_ask_another(std::uint16_t status);
  void ask_another();
  // What the try says about its server's health, and its group's.
  void judge(bool failed);
  // The head of the answer that the client gets: cookies that keep it where it is. `route`: the one that matched.
  void respond(const Route& route, Head& head);
  // The server has agreed to a tunnel.
  void opened_tunnel() { try_.lease.answered(); }
  // The server's answer is whole.
  void respond_whole(Flow::Left how);
  // The server was left.
  void release(Flow::Left how) { try_.lease.release(how); }
  void end_tunnel() { try_.end_tunnel(); }
  void finish_tunnel() { try_.finish(); }
  // The exchange is over.
  void finish(Flow::Left how);

  // How long the server may be silent: the route's time, or the group's if that is shorter.
  Nanos response_gap() const;
  Nanos per_try() const { return group_->settings().retries.per_try; }
  // Null: none was chosen.
  GroupState* group() const { return group_; }
  // Null: there is none now.
  Stream* stream() const { return try_.stream(); }
  bool tried() const { return attempts_ > 0; }
  // The WebSocket key is ours: the client's protocol has none.
  bool made_key() const { return made_key_; }

 private:
  void start_try(bool fresh);
  int take_server();
  void connect();
  void send_request();
  void send_request_head();
  bool may_tunnel(Connection& c);
  bool has_another_try() const;
  bool may_retry(const Error& error);

  // TryEvents
  void on_try_connected(Connection& c) override;
  void on_try_failed(const Error& error) override;
  void on_request_sent(std::size_t bytes) override;

  Request& r_;
  ForwardingOwner& owner_;
  Flow& flow_;
  GroupState* group_ = nullptr;
  Try try_;
  std::array<const ServerSlot*, kMaxTries> tried_{};
  int attempts_ = 0;
  int given_back_ = 0;                  // of the attempts
  const ServerSlot* wanted_ = nullptr;  // the server that the client's cookie names
  bool queued_ = false;
  bool set_cookie_ = false;  // the client is to be kept on the group
  bool made_key_ = false;
  bool circuit_trial_ = false;  // its outcome closes the group's circuit or opens it again
};

}  // namespace albatross
