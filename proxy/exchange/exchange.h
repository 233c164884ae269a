// One proxied request, from its head to its log line. Phases, fixed:
//
//   receive head > normalise > match > act > choose server > acquire > forward > response act > send back > log
//
// An Exchange belongs to its worker, which recycles it; it is used on that thread only. It joins the client's Stream to
// the Stream of its Try; a retry is a new Try with a new Lease. What lives as long as the request (heads, edited
// fields) is in its arena. It pins the version of its listener that it began under (ListenerView) until the answer's
// head has gone, or the request has become a tunnel, and that version is not served any more.
#pragma once

#include "net/timer_wheel.h"
#include "proxy/exchange/forwarding.h"
#include "proxy/exchange/own_answer.h"
#include "proxy/exchange/request.h"
#include "proxy/exchange/tunnel.h"
#include "proxy/flow.h"
#include "proxy/listener_slot.h"
#include "session/pump.h"

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

class Exchange final : public Deferred,
                       public Flow,
                       private StreamEvents,
                       private ResponseEvents,
                       private ForwardingOwner {
 public:
  Exchange(Services& services, ExchangeOwner& owner);
  ~Exchange() override;

  // A request begins on the client's stream.
  void begin(ListenerSlot& slot, Connection& client, Stream& stream);

  // Flow
  Kind kind() const override;
  const ListenerSlot* listener() const override { return slot_; }
  bool client_drains() const override { return r_.client != nullptr && r_.client->draining(); }
  std::size_t bytes_held() const override;
  bool go_away() override;
  void cut() override;
  void end(Cause cause) override;
  bool leave_queue() override { return server_.leave_queue(); }
  void detach() override;

 private:
  // exchange.cc: the client's stream, and the end
  Arena& arena() override { return r_.arena; }
  void on_head(Stream& s, Head& head, bool end) override;
  void on_data(Stream& s, std::string_view data) override;
  void on_end(Stream& s, Fields* trailers) override;
  void on_refused(Stream& s, Cause cause, const char* detail) override;
  void on_reset(Stream& s, const Error& error) override;
  void on_sent(Stream& s, std::size_t bytes) override;
  void on_finished(Stream& s) override;
  void match();
  void act();
  void drop_client();
  void cancel_server();
  void finish();

  // exchange_response.cc: response act, send back, own answers
  Arena& response_arena() override { return r_.arena; }
  void on_response_head(Head& head, bool end) override;
  void on_response_data(std::string_view data) override;
  void on_response_end(Fields* trailers) override;
  void informational(const Head& head);
  void response_done();
  void answer(const Error& error) override;
  void answer(OwnAnswer own);
  bool keep_client() const;

  // exchange_tunnel.cc
  void upgrade(Head& head);
  bool complete_handshake(Head& head);
  void pass(bool from_client, std::string_view data);
  void end_tunnel(bool clean) override;

  // exchange_time.cc: deadlines
  void on_timer();
  void set_deadlines() override;
  void rearm() override;
  bool late(Nanos at);

  ExchangeOwner& owner_;
  Request r_;
  Forwarding server_{r_, *this, *this, *this};
  MemberTimer<Exchange, &Exchange::on_timer> timer_{this};
  ListenerSlot* slot_ = nullptr;
  ListenerView* view_ = nullptr;  // null: detached
  const Route* route_ = nullptr;  // of view_
  RouteSettings own_settings_;    // what r_.settings says, when detached
  Captures captures_;
  Pump to_client_;
  WebSocketTunnel tunnel_;
};

}  // namespace albatross
