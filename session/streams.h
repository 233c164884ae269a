// The streams of one connection: a codec, what its callbacks mean, and how the connection is shared. The half of a
// Session that depends on the wire: one stream after another (SerialStreams) or many at once (MuxStreams). Internal to
// session/.
//
// Owned by its Session, made when it is known what the connection speaks; the loop's thread.
#pragma once

#include "base/intrusive_list.h"
#include "http/codec.h"
#include "session/connection.h"
#include "session/stream.h"

namespace albatross {

class Session;

class Streams : public StreamControl, protected CodecSink {
 public:
  Streams(Session& session, Codec& codec) : session_(session), any_codec_(codec) {}
  virtual ~Streams() = default;
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  bool empty() const { return count_ == 0; }
  virtual Capabilities can() const = 0;

  // ---- life ----
  // Client: open only when the server has said what it takes.
  virtual bool greeting() const { return false; }
  virtual bool between_messages() const { return true; }
  virtual bool can_open() const = 0;
  virtual Stream& open(StreamEvents& events, Method method, bool upgrade) = 0;
  virtual std::uint32_t peer_keep_alive() const { return 0; }
  // The next answer says that it is the last.
  virtual void drain() {}
  virtual void cut(const Error& error) = 0;
  // The connection is idle and closes; the last words, if there are any.
  virtual void say_goodbye() {}
  // Every stream is told, and nothing that still comes is.
  virtual void close(const Error& error);
  // When on_deadline() is due, for what only this kind waits for; 0: never.
  virtual Nanos deadline() const { return 0; }
  virtual void on_deadline(Nanos) {}
  // A server's read deadline has passed: of a head, or of an idle connection.
  virtual void read_timed_out() = 0;

  // ---- input ----
  // False: an idle client's connection, where bytes or an end mean that it is of no more use.
  virtual bool expects_input() const { return true; }
  virtual bool may_read() const = 0;
  virtual void feed(std::string_view bytes) = 0;
  virtual void end_of_input() = 0;
  // The transport has hung up and everything that may be read has been.
  virtual void hung_up() {}
  // Nothing that was read waits for its way on.
  virtual bool drained() const { return true; }
  // What an error of the transport means.
  virtual Error broken(int error) const = 0;

  // ---- output ----
  virtual bool wants_to_write() const { return false; }
  virtual void produce() {}
  // Views become ours.
  virtual void own() {}
  // Frames are made after the feed, not inside it.
  virtual bool holds_output() const { return false; }
  // What there is to send is small enough to wait for the end of the turn.
  virtual bool may_gather() const { return false; }
  virtual Nanos send_timeout() const = 0;
  // Bytes have left our memory: streams are told, unless flow control holds theirs back.
  virtual void return_credit() = 0;
  // Everything up to the session's sent() is with the kernel.
  virtual void after_output() = 0;
  // Bytes have left; what ran is not untouched any more.
  void mark_written();

  // StreamControl: what both kinds do alike.
  void send_data(Stream& s, std::string_view data) final;
  void send_end(Stream& s, const Fields* trailers) final;
  void start_tunnel(Stream& s) final;

 protected:
  Stream& begin_stream();
  // The stream has no part in anything any more; it stays readable for this turn.
  virtual void end_stream(Stream& s);
  void drop_stream(Stream& s, const Error& error);
  // `error` as the client's stream sees it: what was not written is safe to repeat.
  virtual Error as_seen(const Stream& s, const Error& error) const;
  bool server() const;
  // Streams that nobody waits for any more tell this.
  static StreamEvents& nobody();

  // CodecSink
  Arena& arena_of(WireStream& s) override { return static_cast<Stream&>(s).events->arena(); }
  void on_data(WireStream& s, std::string_view data) override;
  void on_end(WireStream& s, Fields* trailers) override;

  Session& session_;
  Codec& any_codec_;  // owned by the kind
  IntrusiveList<Stream> list_;
  std::uint32_t count_ = 0;
  bool feeding_ = false;
};

}  // namespace albatross
