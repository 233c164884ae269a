// The streams of a connection that has one after another (HTTP/1.1). Owned by its Session; the loop's thread. Internal
// to session/.
#pragma once

#include <memory>

#include "session/streams.h"

namespace albatross {

class SerialStreams final : public Streams {
 public:
  SerialStreams(Session& session, std::unique_ptr<SerialCodec> codec)
      : Streams(session, *codec), codec_(std::move(codec)) {}

  Capabilities can() const override { return {}; }
  bool between_messages() const override { return codec_->between_messages(); }
  bool can_open() const override { return empty() && released_ == nullptr; }
  Stream& open(StreamEvents& events, Method method, bool upgrade) override;
  std::uint32_t peer_keep_alive() const override { return peer_keep_alive_; }
  void cut(const Error& error) override;
  void close(const Error& error) override;
  void read_timed_out() override;

  bool expects_input() const override { return !empty() || server(); }
  bool may_read() const override;
  void feed(std::string_view bytes) override;
  void end_of_input() override;
  void hung_up() override;
  bool drained() const override { return empty() || list_.front().owed_ == 0; }
  Error broken(int error) const override;
  bool waiting_for_peer(const Stream& s) const override;

  Nanos send_timeout() const override;
  void return_credit() override;
  void after_output() override;

  void send_head(Stream& s, const Head& head, bool end) override;
  void consume(Stream& s, std::size_t bytes) override;
  void reset(Stream& s) override;
  void release(Stream& s) override;
  bool end_tunnel(Stream& s) override;

 private:
  // The stream; only if there is one.
  Stream& only() const { return const_cast<Stream&>(list_.front()); }

  // CodecSink
  WireStream& on_begin(StreamId id) override;
  void on_head(WireStream& s, Head& head, bool end) override;
  void on_data(WireStream& s, std::string_view data) override;

  void after_feed(std::string_view bytes, const FeedResult& r, bool was_idle);
  void refuse(Cause cause, const char* detail);
  void finish_answer();
  void skim(Stream& s);
  void after_skim();
  bool skimming() const { return skim_left_ != 0; }
  void finish_release();
  void next_message();

  std::unique_ptr<SerialCodec> codec_;
  Stream* released_ = nullptr;         // client: released inside feed(), to be finished when that returns
  std::uint32_t peer_keep_alive_ = 0;  // seconds
  std::uint32_t skim_left_ = 0;        // server: bytes that may still be dropped of a request that has its answer
  bool close_after_ = false;           // the connection closes after this exchange
  bool refused_ = false;               // server: the request was refused, and nothing more is read
  bool abort_at_end_ = false;          // the end of the connection ends the response, so a cut must be a reset
};

}  // namespace albatross
