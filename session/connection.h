// One connection, as its owner and its Streams see it, independent of the protocol and the role.
//
// A Connection belongs to its ConnectionOwner (a worker's Listeners, an UpstreamPool, a probe) and is used on its
// loop's thread. It is never destroyed inside a callback: after on_closed the owner gives it to Loop::destroy_later.
// Code above session/ uses can(), not the protocol version, to learn what a connection can do.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/intrusive_list.h"
#include "http/codec.h"
#include "net/loop.h"
#include "session/connection_info.h"

namespace albatross {

class Connection;
class Stream;
class StreamEvents;
struct TlsInfo;

class ConnectionOwner {
 public:
  // Server: a request begins. The owner sets stream.events.
  virtual void on_new_stream(Connection& c, Stream& stream) = 0;
  // The handshake is done: streams may come (server) or be opened (client).
  virtual void on_open(Connection& c) = 0;
  // Client: no stream is open, and the connection can serve again.
  virtual void on_idle(Connection& c) = 0;
  // The connection is closed. `error.cause` is kNone for an ordinary end. The owner gives it to destroy_later.
  virtual void on_closed(Connection& c, const Error& error) = 0;

 protected:
  ~ConnectionOwner() = default;
};

struct Capabilities {
  bool multiplexes = false;       // many streams at once; requests for any host of the certificate may share it
  bool extended_connect = false;  // WebSockets open by RFC 8441, without keys; else by RFC 6455, with keys
  bool takes_tunnels = true;      // client: the server accepts WebSockets
  bool tells_untouched = false;   // client: the server can say that it has not worked on a request
  bool late_status = false;       // server: an answer that has begun can end with other trailers
};

// The calls of a Stream to its connection: see Stream. The connection's Streams implement it.
class StreamControl {
 public:
  virtual void send_head(Stream& s, const Head& head, bool end) = 0;
  virtual void send_data(Stream& s, std::string_view data) = 0;
  virtual void send_end(Stream& s, const Fields* trailers) = 0;
  virtual void consume(Stream& s, std::size_t bytes) = 0;
  virtual void reset(Stream& s) = 0;
  virtual void release(Stream& s) = 0;
  virtual void start_tunnel(Stream& s) = 0;
  virtual bool end_tunnel(Stream& s) = 0;
  virtual bool waiting_for_peer(const Stream& s) const = 0;

 protected:
  ~StreamControl() = default;
};

class Connection : public Deferred, public ListHook<Connection> {
 public:
  enum class State : std::uint8_t { kOpening, kOpen, kLingering, kClosed };

  const ConnectionInfo& info() const { return info_; }
  Role role() const { return role_; }
  State state() const { return state_; }
  // Whether it is connecting, shaking hands, or (client) waiting for the server's SETTINGS.
  virtual bool opening() const = 0;
  virtual Capabilities can() const = 0;
  // Null without TLS, or when closed. Valid until the next call on the connection.
  virtual const TlsInfo* tls() const = 0;
  // Whether the certificate that the peer was shown covers that host.
  virtual bool covers(std::string_view host) const = 0;
  // The bytes that wait to be written, plus those that were read and not used yet.
  virtual std::size_t bytes_held() const = 0;

  // Whether it is open, has no stream and has received no part of a request.
  virtual bool idle() const = 0;
  // Since when it is idle, or when it opened; nanoseconds of the loop's clock.
  Nanos idle_since() const { return idle_since_; }
  virtual bool has_stream() const = 0;

  // ---- client ----
  //
  // Opens the stream for one request. Only while can_open().
  virtual Stream& open_stream(StreamEvents& events, Method method, bool upgrade) = 0;
  virtual bool can_open() const = 0;
  // Whether it is idle, nothing unexpected has arrived and the peer has not hung up.
  virtual bool reusable() const = 0;
  virtual bool hung_up() const = 0;
  // The timeout in the server's Keep-Alive field, seconds; 0: none.
  virtual std::uint32_t peer_keep_alive() const = 0;
  // Closes the connection if it is still idle at that time; 0: never.
  virtual void set_idle_deadline(Nanos deadline) = 0;

  // ---- ends ----
  //
  // Server: the next answer says that it is the last (HTTP/2: GOAWAY in two steps). An idle connection is read until
  // `idle_until` and then closed.
  virtual void drain(Nanos idle_until) = 0;
  bool draining() const { return draining_; }
  // Ends a drain: answers that are complete are still sent, and streams get on_reset.
  virtual void cut(const Error& error) = 0;
  // Closes at once: streams get on_reset, the owner gets on_closed. `abort`: the peer sees a reset.
  virtual void fail(const Error& error, bool abort = false) = 0;
  // Closes a connection that is idle or not open yet.
  virtual void close_idle() = 0;

  // The owner's own data about this connection.
  void* owner_data = nullptr;

 protected:
  explicit Connection(Role role) : role_(role) {}

  ConnectionInfo info_;
  Nanos idle_since_ = 0;
  State state_ = State::kOpening;
  Role role_;
  bool draining_ = false;
};

}  // namespace albatross
