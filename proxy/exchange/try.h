// One attempt to have a request answered by one server: a Lease, then a connection, then a stream. Forwarding has one
// at a time. It reports by TryEvents and ResponseEvents, and reports nothing after cancel(). Worker's thread.
#pragma once

#include "proxy/upstream/lease.h"
#include "proxy/upstream/pool.h"
#include "session/stream.h"

namespace albatross {

class TryEvents {
 public:
  virtual void on_try_connected(Connection& c) = 0;
  virtual void on_try_failed(const Error& error) = 0;
  // `bytes` of the request have left our memory.
  virtual void on_request_sent(std::size_t bytes) = 0;

 protected:
  ~TryEvents() = default;
};

class ResponseEvents {
 public:
  virtual Arena& response_arena() = 0;
  virtual void on_response_head(Head& head, bool end) = 0;
  virtual void on_response_data(std::string_view data) = 0;
  virtual void on_response_end(Fields* trailers) = 0;

 protected:
  ~ResponseEvents() = default;
};

class Try final : private StreamEvents, private UpstreamWaiter {
 public:
  Try(TryEvents& events, ResponseEvents& response) : events_(events), response_(response) {}
  Try(const Try&) = delete;
  Try& operator=(const Try&) = delete;

  // Begins a new try, without a server yet. `fresh`: it takes only a new connection.
  void begin(bool fresh);
  // Gets a connection to the server of its lease. `since`: a connection that has been idle since before that time is
  // not reused (0: any is).
  void connect(UpstreamPool& pool, Nanos since);
  // Opens a stream on the connection that on_try_connected() gave.
  void open(Connection& c, Method method, bool upgrade) { stream_ = &c.open_stream(*this, method, upgrade); }
  // Cancels the connection attempt or the stream. The lease is kept.
  void cancel();
  // The response is complete: releases the stream, so that the connection may serve again.
  void finish();
  // Ends a tunnel after the data that was sent.
  void end_tunnel();

  Stream* stream() const { return stream_; }
  bool connected() const { return connected_ != 0; }
  bool reused() const { return reused_; }
  // Nanoseconds from taking the server to having a connection; until `now` if there is none yet.
  Nanos connect_time(Nanos now) const { return (connected() ? connected_ : now) - lease.since(); }

  Lease lease;

 private:
  // UpstreamWaiter
  void on_connecting(Connection& c) override { opening_ = &c; }
  void on_connected(Connection& c) override;
  void on_connect_failed(const Error& e) override;

  // StreamEvents
  Arena& arena() override { return response_.response_arena(); }
  void on_head(Stream&, Head& head, bool end) override { response_.on_response_head(head, end); }
  void on_data(Stream&, std::string_view data) override { response_.on_response_data(data); }
  void on_end(Stream&, Fields* trailers) override { response_.on_response_end(trailers); }
  void on_refused(Stream&, Cause, const char*) override {}
  void on_reset(Stream&, const Error& e) override;
  void on_sent(Stream&, std::size_t bytes) override { events_.on_request_sent(bytes); }
  void on_finished(Stream&) override {}

  TryEvents& events_;
  ResponseEvents& response_;
  UpstreamPool* pool_ = nullptr;
  Connection* opening_ = nullptr;  // a connection that is being opened for this try
  Stream* stream_ = nullptr;
  Nanos connected_ = 0;  // when the connection was ready; 0: not yet
  bool reused_ = false;  // the connection had served before
  bool fresh_ = false;
};

}  // namespace albatross
