// The half of a Session that depends on the protocol: a codec, what its callbacks mean, and how streams share the
// connection. SerialStreams has one stream after another, MuxStreams many at once. Internal to session/.
//
// Owned by its Session, which makes it when the protocol of the connection is known; the loop's thread.
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
  //
  // Client: whether it still waits for the server's SETTINGS.
  virtual bool greeting() const { return false; }
  virtual bool between_messages() const { return true; }
  virtual bool can_open() const = 0;
  virtual Stream& open(StreamEvents& events, Method method, bool upgrade) = 0;
  virtual std::uint32_t peer_keep_alive() const { return 0; }
  // Drains: the next answer says that it is the last.
  virtual void drain() {}
  virtual void cut(const Error& error) = 0;
  // The connection is idle and closes: sends a GOAWAY if the protocol has one.
  virtual void say_goodbye() {}
  // Resets every stream. Nothing that comes later is reported.
  virtual void close(const Error& error);
  // When on_deadline() is due; 0: never.
  virtual Nanos deadline() const { return 0; }
  virtual void on_deadline(Nanos) {}
  // Server: the read deadline of a head or of an idle connection has passed.
  virtual void read_timed_out() = 0;

  // ---- input ----
  //
  // False for an idle connection to a server: bytes or an end mean that it cannot be used again.
  virtual bool expects_input() const { return true; }
  virtual bool may_read() const = 0;
  virtual void feed(std::string_view bytes) = 0;
  virtual void end_of_input() = 0;
  // The transport has hung up, and everything that may be read has been read.
  virtual void hung_up() {}
  // Whether everything that was read has been passed on.
  virtual bool drained() const { return true; }
  // What an error of the transport means for streams.
  virtual Error broken(int error) const = 0;

  // ---- output ----
  virtual bool wants_to_write() const { return false; }
  virtual void produce() {}
  // Copies data that was given as views.
  virtual void own() {}
  // Whether output must wait because feed() runs: frames are made after it.
  virtual bool holds_output() const { return false; }
  // Whether there is so little to send that it may wait for the end of the turn.
  virtual bool may_gather() const { return false; }
  virtual Nanos send_timeout() const = 0;
  // Bytes have left our memory: tells the streams that they belong to.
  virtual void return_credit() = 0;
  // The kernel has everything up to the writer's sent(): ends the streams that were written.
  virtual void after_output() = 0;
  // Client: bytes have been written, so the server may have seen the requests.
  void mark_written();

  // The part of StreamControl that both kinds share.
  void send_data(Stream& s, std::string_view data) final;
  void send_end(Stream& s, const Fields* trailers) final;
  void start_tunnel(Stream& s) final;

 protected:
  Stream& begin_stream();
  // Removes the stream. It may still be read in this turn.
  virtual void end_stream(Stream& s);
  void drop_stream(Stream& s, const Error& error);
  // The error as that stream sees it: a request that was not written is safe to retry.
  virtual Error as_seen(const Stream& s, const Error& error) const;
  bool server() const;
  // Receives the events of streams that nobody uses any more.
  static StreamEvents& nobody();

  // CodecSink
  Arena& arena_of(WireStream& s) override { return static_cast<Stream&>(s).events->arena(); }
  void on_data(WireStream& s, std::string_view data) override;
  void on_end(WireStream& s, Fields* trailers) override;

  Session& session_;
  Codec& any_codec_;  // owned by the derived class
  IntrusiveList<Stream> list_;
  std::uint32_t count_ = 0;
  bool feeding_ = false;
};

}  // namespace albatross
