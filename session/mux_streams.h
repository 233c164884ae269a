// The streams of a connection that has many at once (HTTP/2): how they end, GOAWAY in two steps, PING, streams whose
// window stays closed, the deadline of a header block. Owned by its Session; the loop's thread. Internal to session/.
#pragma once

#include <memory>

#include "session/streams.h"

namespace albatross {

// Checks whether a silent server is alive: says when to send a PING, and when to give up. A value of MuxStreams, for a
// client. Nanoseconds of the loop's clock.
class Heartbeat {
 public:
  static constexpr Nanos kAfter = 20 * kSecond;
  static constexpr Nanos kPatience = 10 * kSecond;
  static constexpr Nanos kAgain = 330 * kSecond;  // gRPC servers end connections that PING more often than every 5 min

  // Bytes have come. message(): bytes of a stream have come.
  void heard(Nanos now) { heard_ = now; }
  void message() { quiet_ = false; }
  enum class Verdict : std::uint8_t { kWait, kPing, kDead };
  Verdict check(Nanos now) {
    if (pinged_ && heard_ < ping_at_ && heard_ + kPatience <= now) return Verdict::kDead;
    if (pinged_ && heard_ >= ping_at_) pinged_ = false;
    if (pinged_ || now < due()) return Verdict::kWait;
    pinged_ = quiet_ = true;
    ping_at_ = now;
    return Verdict::kPing;
  }
  Nanos next() const { return pinged_ ? ping_at_ + kPatience : due(); }

 private:
  Nanos due() const { return quiet_ ? ping_at_ + kAgain : heard_ + kAfter; }
  Nanos heard_ = 0;
  Nanos ping_at_ = 0;
  bool pinged_ = false;  // a PING was sent, and nothing has come since
  bool quiet_ = false;   // a PING was sent since the last message of a stream
};

class MuxStreams final : public Streams {
 public:
  MuxStreams(Session& session, std::unique_ptr<MuxCodec> codec);

  Capabilities can() const override;
  bool greeting() const override { return greeting_; }
  bool can_open() const override;
  Stream& open(StreamEvents& events, Method method, bool upgrade) override;
  void drain() override { start_goaway(); }
  void cut(const Error& error) override;
  void say_goodbye() override;
  void close(const Error& error) override;
  Nanos deadline() const override {
    Nanos first = 0;
    for (const Nanos d : {goaway_at_, heartbeat_at_, stall_at_}) {
      if (d != 0 && (first == 0 || d < first)) first = d;
    }
    return first;
  }
  void on_deadline(Nanos at) override;
  void read_timed_out() override;

  bool may_read() const override { return !codec_->clogged(); }
  void feed(std::string_view bytes) override;
  void end_of_input() override;
  Error broken(int error) const override;
  bool waiting_for_peer(const Stream& s) const override { return s.owed_ == 0; }

  bool wants_to_write() const override { return !feeding_ && codec_->wants_to_produce(); }
  void produce() override;
  void own() override { codec_->own(); }
  bool holds_output() const override { return feeding_; }
  bool may_gather() const override { return !feeding_ && codec_->fresh_bytes() < kGatherBelow; }
  Nanos send_timeout() const override;
  void return_credit() override;
  void after_output() override;

  void send_head(Stream& s, const Head& head, bool end) override;
  void consume(Stream& s, std::size_t bytes) override;
  void reset(Stream& s) override;
  void release(Stream& s) override { reset(s); }  // resets only what has not ended
  bool end_tunnel(Stream& s) override;

 private:
  void end_stream(Stream& s) override;
  Error as_seen(const Stream& s, const Error& error) const override;

  // CodecSink
  WireStream& on_begin(StreamId id) override;
  void on_head(WireStream& s, Head& head, bool end) override;
  void on_data(WireStream& s, std::string_view data) override;
  void on_over_limit(WireStream& s, Cause cause, const char* detail) override;
  void on_closed(WireStream& s, const Error& error) override;

  void after_feed();
  bool check_failure();
  void finish_answers();
  void streams_changed();
  void start_goaway();
  void update_head_deadline();
  void reset_stalled(Nanos at);
  void check_server(Nanos at);

  static constexpr std::size_t kGatherBelow = 8 * 1024;  // bytes; more new data is written at once, without a copy
  static constexpr Nanos kGoawayGap = 1 * kSecond;       // between the two steps; more than a round trip
  // The ends_at_ of a stream whose last frame is being put into the output.
  static constexpr std::uint64_t kBeingPut = ~std::uint64_t{0};
  enum class Goaway : std::uint8_t { kNone, kAnnounced, kFinal };

  std::unique_ptr<MuxCodec> codec_;
  IntrusiveList<Stream> finishing_;  // server: answers that are complete in the output, in the order of their ends
  Heartbeat heartbeat_;              // client: whether the server is alive
  // When each is due; 0: never.
  Nanos goaway_at_ = 0;          // GOAWAY's second step
  Nanos heartbeat_at_ = 0;       // client: a PING, or the deadline for its answer
  Nanos stall_at_ = 0;           // a check of streams whose window is closed
  std::uint32_t late_head_ = 0;  // the head, by number, that the session's read deadline is for
  std::uint32_t orphans_ = 0;    // client: streams that nobody uses any more and whose bytes are still being sent
  Goaway goaway_ = Goaway::kNone;
  bool put_ = false;        // an end is among what is being produced
  bool greeting_ = false;   // client: the server's SETTINGS have not come yet
  bool head_late_ = false;  // the session's read deadline is that of a head
  bool stalled_ = false;    // a stream waits for its window
  Nanos patience_ = 0;      // the shortest time that such a stream may wait
};

}  // namespace albatross
