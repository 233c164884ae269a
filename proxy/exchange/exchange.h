// One proxied request, from its head to its log line. Its phases are fixed:
//
//   receive head > normalise > match > act > choose server > acquire > forward > response act > send back > log
//
// The Worker owns and reuses exchanges; worker's thread. An Exchange joins the client's Stream to the Stream of its
// Try. A retry is a new Try with a new Lease. Data that lives as long as the request (heads, edited fields) is in its
// arena.
//
// It pins the version of its listener that it began under (ListenerView) until its end. If that version is replaced, it
// unpins it as soon as the answer's head has been sent or the request has become a tunnel: see detach().
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
  // The exchange is over; it may be reused or destroyed later.
  virtual void recycle(Exchange& x) = 0;
  // The exchange does not use that version any more.
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

  // Begins a request on the client's stream.
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
  std::span<const ErrorPage> pages() const;
  bool keep_client() const;
  bool rest_is_small() const;

  // exchange_tunnel.cc
  void upgrade(Head& head);
  bool complete_handshake(Head& head);
  void pass(bool from_client, std::string_view data);
  void end_tunnel(bool clean) override;

  // exchange_deadlines.cc: deadlines
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
  const Route* route_ = nullptr;  // in view_; null: not matched, or detached
  RouteSettings own_settings_;    // a copy of r_.settings, once detached
  Captures captures_;
  Pump to_client_;
  WebSocketTunnel tunnel_;
};

}  // namespace albatross
