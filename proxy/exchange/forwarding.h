// The server's side of one exchange: chooses a group and a server, waits for room, acquires a connection, forwards, and
// retries a failed try on another server if that is safe (RFC 9110 §9.2.2). A member of an Exchange; worker's thread.
#pragma once

#include <array>

#include "proxy/exchange/request.h"
#include "proxy/exchange/try.h"
#include "proxy/upstream/group.h"

namespace albatross {

class ForwardingOwner {
 public:
  // No try is left: the client gets our own answer.
  virtual void answer(const Error& error) = 0;
  // The server has left the tunnel. `clean`: the data that it has sent still goes to the client.
  virtual void end_tunnel(bool clean) = 0;
  // The request has been sent to a server: sets the deadlines for its answer.
  virtual void set_deadlines() = 0;
  // Deadlines have changed: arms the timer again.
  virtual void rearm() = 0;

 protected:
  ~ForwardingOwner() = default;
};

class Forwarding final : private TryEvents {
 public:
  static constexpr int kMaxTries = 6;  // including those that servers gave back unread

  // All arguments outlive this object. The leases are those of `flow`.
  Forwarding(Request& request, ForwardingOwner& owner, ResponseEvents& response, Flow& flow)
      : r_(request), owner_(owner), flow_(flow), try_(*this, response) {}

  // Resets for a new request.
  void begin();
  // Forwards by the route that matched. `arms`: the counters of its targets, if it is watched; else null.
  void start(const Route& route, const std::vector<ArmStatsRef>* arms);
  // A server may have room: tries to take one. False if the request must go on waiting.
  bool leave_queue();
  // Takes the request out of the queue and cancels its try. It is not forwarded any more. The lease is kept.
  void cancel();

  // Whether the request may be sent to another server after an answer with that status or, with 0, after no answer in
  // time. Takes a token of the retry budget.
  bool may_ask_another(std::uint16_t status);
  void ask_another();
  // Reports the outcome of the try for passive checks and the group's circuit breaker.
  void judge(bool failed);
  // The client gets this head of an answer: adds sticky cookies to it. `route`: the one that matched.
  void respond(const Route& route, Head& head);
  // The server has answered with a head that the client does not get unchanged: an upgrade, or one that is retried.
  void answered(int status) { try_.lease.answered(status); }
  // The server's answer is complete: releases the lease and the stream.
  void respond_whole(Flow::Left how);
  // Releases the lease. `how`: how the flow left the server.
  void release(Flow::Left how) { try_.lease.release(how); }
  // The request has become a tunnel, which may last for hours.
  void tunnel_opened() {
    if (arm_ != nullptr) count_outcome();
  }
  void end_tunnel() { try_.end_tunnel(); }
  void finish_tunnel() { try_.finish(); }
  // The exchange is over.
  void finish(Flow::Left how);

  // How long the server may be silent, nanoseconds: the route's timeout, or the group's if that is shorter.
  Nanos response_gap() const;
  Nanos per_try() const { return group_->settings().retries.per_try; }
  // Null if none was chosen.
  GroupState* group() const { return group_; }
  // The stream to the server; null if there is none now.
  Stream* stream() const { return try_.stream(); }
  bool tried() const { return attempts_ > 0; }
  // Whether the WebSocket key is ours, because the client speaks HTTP/2, which has none.
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
  void tell_of(const Error& error);
  void count_outcome();

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
  int given_back_ = 0;                  // how many of the attempts servers gave back unread
  const ServerSlot* wanted_ = nullptr;  // the server that the client's cookie names
  bool queued_ = false;
  bool set_cookie_ = false;  // the answer gets the group's sticky cookie
  bool made_key_ = false;
  ArmStatsRef arm_;             // counts the outcome for a rollout; null: there is none, or it is counted
  bool circuit_trial_ = false;  // this request tries a group whose circuit is open; its outcome decides
};

}  // namespace albatross
