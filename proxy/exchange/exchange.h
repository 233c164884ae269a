// One proxied request, from its head to its log line. Phases, fixed:
//
//   receive head > normalise > match > act > choose server > acquire > forward > response act > send back > log
//
// An Exchange belongs to its worker, which recycles it; it is used on that thread only. It joins the client's Stream to the
// Stream of its Try; a retry is a new Try with a new Lease. What lives as long as the request (heads, edited fields) is in its
// arena. It pins the version of its listener that it began under (ListenerView) until the answer's head has gone, or the request
// has become a tunnel, and that version is not served any more.
#pragma once

#include <array>
#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "net/timer_wheel.h"
#include "proxy/exchange/account.h"
#include "proxy/exchange/deadlines.h"
#include "proxy/exchange/own_answer.h"
#include "proxy/exchange/request_body.h"
#include "proxy/exchange/try.h"
#include "proxy/exchange/tunnel.h"
#include "proxy/flow.h"
#include "proxy/listener_slot.h"
#include "proxy/services.h"
#include "session/pump.h"
#include "session/stream.h"

namespace albatross {

class Exchange;

class ExchangeOwner {
 public:
  // It is over.
  virtual void recycle(Exchange& x) = 0;
  // An exchange does not run by that version any more.
  virtual void unpin(ListenerView& view) = 0;

 protected:
  ~ExchangeOwner() = default;
};

class Exchange final : public Deferred, public Flow, private StreamEvents, private TryEvents {
 public:
  Exchange(Services& services, ExchangeOwner& owner);
  ~Exchange() override;

  // A request begins on the client's stream.
  void begin(ListenerSlot& slot, Connection& client, Stream& stream);

  // Flow
  Kind kind() const override;
  const ListenerSlot* listener() const override { return slot_; }
  bool client_drains() const override { return client_ != nullptr && client_->draining(); }
  std::size_t bytes_held() const override;
  bool go_away() override;
  void cut() override;
  void end(Cause cause) override;
  bool leave_queue() override;
  void detach() override;

 private:
  enum class Phase : std::uint8_t { kReceive, kConnect, kForward, kRespond, kTunnel, kAnswered, kOver };
  static constexpr int kMaxTries = 6;  // with those that were given back
  static constexpr Nanos kFreshEnough = 2 * kSecond;

  // exchange.cc: the client's stream, and the end
  Arena& arena() override { return arena_; }
  void on_head(Stream& s, Head& head, bool end) override;
  void on_data(Stream& s, std::string_view data) override;
  void on_end(Stream& s, Fields* trailers) override;
  void on_refused(Stream& s, Cause cause, const char* detail) override;
  void on_reset(Stream& s, const Error& error) override;
  void on_sent(Stream& s, std::size_t bytes) override;
  void on_finished(Stream& s) override;
  void drop_client();
  void finish();

  // exchange_act.cc: match, act
  TemplateValues template_values();
  void act();
  void redirect();
  void fixed_response();

  // exchange_forward.cc: choose, acquire, forward
  void forward();
  void start_try(bool fresh);
  int take_server();
  void connect();
  void send_request();
  bool may_tunnel(Connection& c);
  void on_try_connected(Connection& c) override;
  void on_request_sent(std::size_t bytes) override;
  void cancel_try();

  // exchange_retry.cc: failure and another try
  void on_try_failed(const Error& error) override;
  bool has_another_try() const;
  bool may_retry(const Error& error);
  bool may_ask_another(std::uint16_t status);
  void ask_another();
  void judge(bool failed);

  // exchange_response.cc: response act, send back, own answers
  Arena& response_arena() override { return arena_; }
  void on_response_head(Head& head, bool end) override;
  void on_response_data(std::string_view data) override;
  void on_response_end(Fields* trailers) override;
  void informational(const Head& head);
  void response_done();
  void answer(const Error& error);
  void answer(OwnAnswer own);
  bool keep_client() const;

  // exchange_tunnel.cc
  void upgrade(Head& head);
  bool complete_handshake(Head& head);
  void pass(bool from_client, std::string_view data);
  // `clean`: what was sent still goes, and each side sees an end; else a reset.
  void end_tunnel(bool clean = true);

  // exchange_time.cc: deadlines
  void on_timer();
  void set_deadlines();
  void arm(Nanos deadline);
  Nanos response_gap() const;
  bool late(Nanos at);

  Nanos now() const { return services_.now(); }
  GroupState& group() const { return *group_; }
  const RouteTimeouts& timeouts() const { return settings_->timeouts; }

  Services& services_;
  ExchangeOwner& owner_;
  Arena arena_;
  Account account_;
  Deadlines deadlines_;
  MemberTimer<Exchange, &Exchange::on_timer> timer_{this};

  ListenerSlot* slot_ = nullptr;
  ListenerView* view_ = nullptr;  // null: detached
  Connection* client_ = nullptr;
  Stream* down_ = nullptr;
  const Route* route_ = nullptr;  // of view_
  const RouteSettings* settings_ = nullptr;  // of view_, or own_settings_
  RouteSettings own_settings_;

  Head head_;
  Captures captures_;
  RequestBody body_;
  Pump to_client_;
  WebSocketTunnel tunnel_;

  GroupState* group_ = nullptr;
  Try try_{*this};
  std::array<const ServerSlot*, kMaxTries> tried_{};
  int attempts_ = 0;
  int given_back_ = 0;                  // of the attempts
  const ServerSlot* wanted_ = nullptr;  // the server that the client's cookie names

  Phase phase_ = Phase::kOver;
  bool queued_ = false;
  bool grpc_ = false;
  bool set_cookie_ = false;     // the client is to be kept on the group
  bool made_key_ = false;       // the WebSocket key is ours: the client's protocol has none
  bool circuit_trial_ = false;  // its outcome closes the group's circuit or opens it again
};

}  // namespace albatross
