// What owners and Streams need of one connection, whatever the wire and the role.
//
// A Connection belongs to its owner (a worker's listener, an upstream pool, a probe) and is used on its loop's thread.
// It never dies inside a callback: after on_closed the owner hands it to Loop::destroy_later. Nobody above session/
// asks which protocol it speaks to learn what it can do: can() says.
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
  // Server: a request begins; set stream.events.
  virtual void on_new_stream(Connection& c, Stream& stream) = 0;
  // Handshake done; streams may come (server) or be opened (client).
  virtual void on_open(Connection& c) = 0;
  // Client: no stream is open and the connection can serve again.
  virtual void on_idle(Connection& c) = 0;
  // Gone. `error.cause` is kNone for an ordinary end. Hand the connection to destroy_later.
  virtual void on_closed(Connection& c, const Error& error) = 0;

 protected:
  ~ConnectionOwner() = default;
};

struct Capabilities {
  bool multiplexes = false;       // many streams at once; requests for other names of the certificate may share it
  bool extended_connect = false;  // websockets open by RFC 8441, without keys; else by those of RFC 6455
  bool takes_tunnels = true;      // client: the server takes websockets
  bool tells_untouched = false;   // client: the server can say that it has not worked on a request
  bool late_status =
      false;  // server: an answer that has begun can still be ended with other trailers than it began for
};

// What a Stream asks of its connection; see Stream.
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
  // Connecting, shaking hands, or waiting for what the server will take.
  virtual bool opening() const = 0;
  virtual Capabilities can() const = 0;
  // Null: not secure, or closed. Good until the next call on the connection.
  virtual const TlsInfo* tls() const = 0;
  // The certificate that was shown to the peer is good for that host.
  virtual bool covers(std::string_view host) const = 0;
  // What is to be written and could not be yet, bytes.
  virtual std::size_t bytes_held() const = 0;

  // Open, without a stream or the beginning of one.
  virtual bool idle() const = 0;
  // Since when, or since it opened; nanoseconds of the loop's clock.
  Nanos idle_since() const { return idle_since_; }
  virtual bool has_stream() const = 0;

  // ---- a client's ----
  // Opens the stream for one request. Only when can_open().
  virtual Stream& open_stream(StreamEvents& events, Method method, bool upgrade) = 0;
  virtual bool can_open() const = 0;
  // Idle, nothing unexpected arrived, the peer has not hung up.
  virtual bool reusable() const = 0;
  virtual bool hung_up() const = 0;
  // What the server's Keep-Alive said of its patience, seconds; 0: nothing.
  virtual std::uint32_t peer_keep_alive() const = 0;
  // Closes if it is still idle then; 0: never.
  virtual void set_idle_deadline(Nanos deadline) = 0;

  // ---- ends ----
  // Server: the next answer says that it is the last (HTTP/2: GOAWAY in two steps); an idle connection is still read
  // until `idle_until`, then closed.
  virtual void drain(Nanos idle_until) = 0;
  bool draining() const { return draining_; }
  // The end of a drain: what was answered still leaves, streams get on_reset.
  virtual void cut(const Error& error) = 0;
  // Cuts everything: streams get on_reset, the owner on_closed. `abort`: the peer sees a reset.
  virtual void fail(const Error& error, bool abort = false) = 0;
  // Lets go of a connection that is idle or not yet open.
  virtual void close_idle() = 0;

  // The owner's: what it keeps of this connection.
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
