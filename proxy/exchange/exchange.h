// One proxied request, from its head to its log line. Phases, fixed:
//
//   receive head > normalise > match > act > choose server > acquire > forward > response act > send back > log
//
// An Exchange belongs to its worker, which recycles it; it is used on that thread only. It joins the client's Stream to
// the Stream of one of its tries; there is one primary try, and a try that failed never speaks again. Everything that
// lives as long as the request (heads, edited fields, replayed bytes) is in its arena and replay buffer.
#pragma once

#include <array>
#include <string_view>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "net/timer_wheel.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream_pool.h"
#include "session/pump.h"
#include "session/session.h"
#include "session/websocket.h"
#include "session/websocket_key.h"

namespace albatross {

class Worker;

class Exchange final : public Deferred, public StreamEvents {
 public:
  explicit Exchange(Worker& worker);
  ~Exchange() override;

  // A request begins on the client's stream; the snapshot is pinned until the end.
  void begin(Connection& connection, Stream& stream, WorkerSnapshot& snapshot, std::size_t listener);
  // The drain deadline: cuts what is left, or ends a tunnel with 1001.
  void cut();
  // The drain has begun: a tunnel says 1001 at the next frame boundary, at latest at `deadline`.
  void go_away();
  bool is_tunnel() const { return phase_ == Phase::kTunnel; }
  // A gRPC call.
  bool is_call() const { return grpc_; }
  // Its server is that one, and was chosen by then.
  bool is_on(const ServerSlot& slot, Nanos by) const;
  // Its client's connection drains.
  bool drains() const { return client_connection_ != nullptr && client_connection_->draining(); }
  // To go elsewhere, by a drain.
  bool told() const { return going_away_; }
  // A drain wants it to go elsewhere: 1001, or UNAVAILABLE. False if it was told before.
  bool leave_politely();
  // Bytes that wait for either side, and those kept for another try.
  std::size_t bytes_held() const;
  // By an answer if there was none, else by a reset.
  void end(Cause cause);
  bool runs_on(const void* listener_slot) const { return client_connection_ != nullptr && client_connection_->owner_data == listener_slot; }
  // Gives back what the last request needed.
  void reset_memory() { arena_.reset(); }

  // Of a GroupQueue: tries for a server again. False: it must go on waiting.
  bool leave_queue();
  struct QueueLink {
    GroupQueue* in = nullptr;  // null: it does not wait
    Exchange* prev = nullptr;
    Exchange* next = nullptr;
    Nanos since = 0;
  };
  QueueLink queue_link;  // the queue's

  Exchange* prev = nullptr;  // the worker's list of running exchanges
  Exchange* next = nullptr;

 private:
  enum class Phase : std::uint8_t { kReceive, kConnect, kForward, kRespond, kTunnel, kAnswered, kOver };

  // One attempt to have the request answered by one server.
  struct Try final : public StreamEvents, public UpstreamWaiter {
    Exchange* x = nullptr;
    Connection* opening = nullptr;  // being connected
    Stream* stream = nullptr;
    ServerPool* pool = nullptr;
    int candidate = -1;
    bool reused = false;
    bool fresh = false;    // only a new connection will do
    bool counted = false;  // as in flight on its server
    Nanos started = 0;
    Nanos connected = 0;

    void on_connecting(Connection& c) override { opening = &c; }
    void on_connected(Connection& c) override { x->try_connected(*this, c); }
    void on_connect_failed(const Error& e) override {
      opening = nullptr;
      x->try_failed(*this, e);
    }
    Arena& arena() override { return x->arena_; }
    void on_head(Stream&, Head& head, bool end) override { x->response_head(*this, head, end); }
    void on_data(Stream& s, std::string_view data) override { x->response_data(s, data); }
    void on_end(Stream&, Fields* trailers) override { x->response_end(trailers); }
    void on_refused(Stream&, Cause, const char*) override {}
    void on_reset(Stream&, const Error& e) override {
      stream = nullptr;
      x->try_failed(*this, e);
    }
    void on_sent(Stream&, std::size_t bytes) override { x->request_sent(bytes); }
    void on_finished(Stream&) override {}
    void cancel();
  };

  // The client's stream.
  Arena& arena() override { return arena_; }
  void on_head(Stream& s, Head& head, bool end) override;
  void on_data(Stream& s, std::string_view data) override;
  void on_end(Stream& s, Fields* trailers) override;
  void on_refused(Stream& s, Cause cause, const char* detail) override;
  void on_reset(Stream& s, const Error& error) override;
  void on_sent(Stream& s, std::size_t bytes) override;
  void on_finished(Stream& s) override;

  // exchange_request.cc: receive, normalise, match, act
  bool admit();
  bool misdirected() const;
  void limit_by_grpc_timeout();
  Refusal count_loop();
  void identify();
  void act();
  TemplateValues template_values();
  void redirect(const Route& route);
  void fixed_response(const Route& route);

  // exchange_choose.cc: choose group and server, wait for one
  std::uint32_t choose_group(const Route& route);
  int take_server();
  std::uint64_t server_key();
  int sticky_server();
  // What a try says about its server's health, and its group's.
  void judge(Try& t, bool failed);
  void judge_group(bool failed);
  bool admitted_by_circuit();
  void wait_for_room();
  void forget_queue();
  void leave_server(Try& t, bool moved = false);

  // exchange_upstream.cc: acquire, forward, retry
  void forward();
  void start_try(bool fresh);
  void connect_to(int i);
  void try_connected(Try& t, Connection& c);
  void send_request(Try& t);
  void try_failed(Try& t, const Error& error);
  bool has_another_try() const;
  bool may_retry(const Try& t, const Error& error);
  // After an answer, or (0) after none in time for one try.
  bool may_ask_another(std::uint16_t status);
  void ask_another(Try& t);
  bool take_retry_token();
  bool may_tunnel(Connection& c);
  void pass_grpc_timeout();
  void keep_for_replay(std::string_view data);
  void request_sent(std::size_t bytes);
  void cancel_tries();

  // exchange_response.cc: response act, send back, own answers
  void response_head(Try& t, Head& head, bool end);
  void informational(const Head& head);
  void upgrade(Try& t, Head& head);
  bool complete_handshake(Try& t, Head& head);
  void response_data(Stream& s, std::string_view data);
  void response_end(Fields* trailers);
  void upstream_done();
  void add_sticky_cookie(Head& head);
  void add_server_cookie(const Try& t, Head& head);
  void answer(const Error& error);
  void answer(Head& head, std::string_view body);
  void grpc_answer(const CauseInfo& why, const char* detail);
  Fields grpc_status_fields(const CauseInfo& why, const char* detail);
  void grpc_end(const Error& error);
  bool keep_client() const;
  void send_early_bytes(Stream& to);
  // How long the server may be silent.
  Nanos response_gap() const;

  // exchange_end.cc: deadlines, tunnel, log
  void on_timer();
  void set_deadlines();
  void limit_tries(Nanos at);
  void arm(Nanos deadline);
  void arm_first();
  void body_progress(std::size_t bytes);
  void tunnel_data(Stream& to, FrameTracker& frames, Pump& pump, std::string_view data);
  void send_going_away();
  // `clean`: what was sent still goes, and each side sees an end; else a reset.
  void end_tunnel(bool clean = true);
  void finish();
  void write_log();

  const ListenerRuntime& listener() const { return *snapshot_->listeners[listener_].listener; }
  GroupState& group() const { return snapshot_->groups[static_cast<std::size_t>(group_)]; }
  Try& primary() { return tries_[static_cast<std::size_t>(attempts_ - 1)]; }
  Nanos now() const;

  static constexpr std::size_t kReplay = 64 * 1024;
  static constexpr int kMaxTries = 6;  // with those that were given back
  static constexpr Nanos kFreshEnough = 2 * kSecond;

  Worker& worker_;
  Arena arena_;
  Buffer replay_;
  MemberTimer<Exchange, &Exchange::on_timer> timer_{this};
  WorkerSnapshot* snapshot_ = nullptr;
  Connection* client_connection_ = nullptr;
  Stream* down_ = nullptr;
  const Route* route_ = nullptr;
  std::size_t listener_ = 0;
  int group_ = -1;
  int attempts_ = 0;
  int given_back_ = 0;  // of the attempts
  std::array<Try, kMaxTries> tries_;
  Head head_;
  Fields trailers_;
  Captures captures_;
  Pump to_server_;
  Pump to_client_;
  FrameTracker from_client_frames_;
  FrameTracker from_server_frames_;
  Phase phase_ = Phase::kOver;
  Cause termination_ = Cause::kNone;
  bool request_done_ = false;  // the client's message is whole
  bool has_trailers_ = false;
  bool replayable_ = false;
  bool sent_end_ = false;  // the request's end went to the server
  bool going_away_ = false;
  bool cut_ = false;  // by a drain's deadline
  bool set_cookie_ = false;
  int wanted_ = -1;  // the server that the client's cookie names
  bool grpc_ = false;
  bool made_key_ = false;       // the WebSocket key is ours: the client's protocol has none
  bool in_group_ = false;       // counted as active there
  bool circuit_trial_ = false;  // its outcome closes the group's circuit or opens it again
  std::uint16_t status_ = 0;
  std::uint16_t upstream_status_ = 0;

  // Nanoseconds of the loop's clock; 0: not reached.
  Nanos began_ = 0;
  Nanos began_wall_ = 0;
  Nanos connect_time_ = 0;
  Nanos response_began_ = 0;
  Nanos response_ended_ = 0;
  Nanos body_began_ = 0;
  Nanos body_deadline_ = 0;
  Nanos response_deadline_ = 0;
  Nanos answer_by_ = 0;     // the head of an answer, whatever the try
  Nanos try_deadline_ = 0;  // of the primary try
  Nanos queue_deadline_ = 0;
  Nanos total_deadline_ = 0;
  Nanos grpc_deadline_ = 0;  // the client's
  std::uint64_t body_received_ = 0;
  std::uint64_t body_sent_ = 0;

  IpAddress client_;
  std::string_view client_text_;
  std::string_view host_text_;           // as the client sent it, for the log
  std::string_view forwarded_for_text_;  // likewise
  std::string_view request_id_;
  std::string_view trace_id_;
  std::string_view grpc_status_;
  std::string_view upstream_text_;
};

}  // namespace albatross
