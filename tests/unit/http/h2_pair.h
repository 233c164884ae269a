// Two H2Codecs, a client's and a server's, joined by memory: what one produces the other is fed, in pieces of any size.
// Each end writes down what it hears.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/h2/codec.h"
#include "tests/unit/http/codec_recorder.h"

namespace albatross::http_test {

class H2End final : public CodecSink {
  BlockPool pool_;  // first: streams hold its blocks

 public:
  explicit H2End(Role role, const HeadLimits& limits = {}, const H2Settings& settings = {})
      : limits_(limits), settings_(settings), codec(role, limits_, settings_) {}

  // What it has to say now.
  std::string said() {
    std::string out;
    for (;;) {
      codec.produce(out_, *this);
      if (out_.empty()) break;
      iovec parts[64];
      int n = out_.peek(parts, 64);
      for (int i = 0; i < n; ++i) out.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
      out_.consume(out_.size());
      scratch_.clear();
    }
    codec.own();
    return out;
  }
  FeedResult hear(std::string_view bytes) { return codec.feed(bytes, *this); }

  WireStream& new_stream() {
    streams.push_back(std::make_unique<WireStream>(pool_));
    return *streams.back();
  }
  // A request; the stream is given back by index.
  WireStream& request(Head head, bool end) {
    WireStream& s = new_stream();
    codec.open(s, head.method, head.upgrade);
    codec.send_head(s, head, end, out_);
    return s;
  }
  Head get(std::string_view path = "/") {
    Head h;
    h.fields = Fields(arena);
    h.method = Method::kGet;
    h.method_text = "GET";
    h.scheme = "https";
    h.authority = "a.test";
    h.path = path;
    return h;
  }
  Head response(int status) {
    Head h;
    h.fields = Fields(arena);
    h.status = static_cast<std::uint16_t>(status);
    return h;
  }
  void send_data(WireStream& s, std::string_view data) { codec.send_data(s, data, out_); }
  void send_end(WireStream& s, const Fields* trailers = nullptr) { codec.send_end(s, trailers, out_); }
  void send_head(WireStream& s, const Head& h, bool end) { codec.send_head(s, h, end, out_); }
  std::string heard() { return std::exchange(text, {}); }

  // CodecSink
  WireStream& on_begin(StreamId) override { return new_stream(); }
  Arena& arena_of(WireStream&) override { return arena; }
  void on_head(WireStream& s, Head& head, bool end) override {
    note(s, (head.status != 0 ? std::to_string(head.status)
                              : std::string(head.method_text) + " " + std::string(head.target)) +
                (head.upgrade ? " upgrade" : "") + (end ? " end" : ""));
    last = head;
    if (when_head) when_head(s, head, end);
  }
  void on_data(WireStream& s, std::string_view data) override {
    received += data.size();
    body += data;
    if (consume) codec.consume(s, data.size());
  }
  void on_end(WireStream& s, Fields* trailers) override {
    note(s, "end" + (trailers == nullptr ? "" : " with" + described(*trailers)));
    if (when_end) when_end(s);
  }
  void on_over_limit(WireStream& s, Cause cause, const char*) override {
    note(s, "over " + std::string(info(cause).name));
  }
  void on_closed(WireStream& s, const Error& e) override {
    note(s, "closed" + (e.cause == Cause::kNone ? "" : " " + std::string(info(e.cause).name)) +
                (e.retry == RetrySafety::kSafe      ? " safe"
                 : e.retry == RetrySafety::kRefused ? " refused"
                                                    : ""));
  }

  std::string text;
  std::string body;
  std::size_t received = 0;
  bool consume = true;
  Head last;
  Arena arena{16 * 1024};
  std::vector<std::unique_ptr<WireStream>> streams;
  std::function<void(WireStream&, Head&, bool)> when_head;
  std::function<void(WireStream&)> when_end;

 private:
  void note(WireStream& s, const std::string& what) { text += std::to_string(s.id) + " " + what + ";"; }

  OutputScratch scratch_;
  Output out_{pool_, scratch_};
  HeadLimits limits_;
  H2Settings settings_;

 public:
  H2Codec codec;
};

// Lets both speak until neither has more to say. `piece`: how many bytes are fed at once.
inline void talk(H2End& a, H2End& b, std::size_t piece = 1 << 20) {
  for (bool more = true; more;) {
    more = false;
    for (auto [from, to] : {std::pair{&a, &b}, std::pair{&b, &a}}) {
      std::string said = from->said();
      for (std::size_t at = 0; at < said.size(); at += piece) to->hear(std::string_view(said).substr(at, piece));
      more = more || !said.empty();
    }
  }
}

// A frame as it stands on the wire.
inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id, std::string_view payload) {
  std::string out;
  for (int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift : {24, 16, 8, 0}) out += static_cast<char>(id >> shift);
  return out + std::string(payload);
}

// Fields as a header block that uses no table and no Huffman code: nothing is tidied on the way. Below 127 bytes each.
inline std::string block(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += '\0';
    out += static_cast<char>(name.size()) + name;
    out += static_cast<char>(value.size()) + value;
  }
  return out;
}

}  // namespace albatross::http_test
