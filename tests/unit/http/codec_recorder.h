// What an H1Codec said about some bytes, as text that two runs can compare. Used by unit tests and fuzz targets.
//
// A Run feeds pieces as a Session would: what the codec does not eat comes again in front of the next piece. A server's
// run reads on with the next request; a client's stops behind the response.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "http/h1/codec.h"

namespace albatross::http_test {

// The stream of codecs that have only one at a time, and keep nothing in it.
inline WireStream& one_stream() {
  static BlockPool pool;
  static WireStream stream(pool);
  return stream;
}
// The same, as at its beginning.
inline WireStream& fresh_stream(WireStream& s = one_stream()) {
  s.in = s.out = Direction::kIdle;
  s.tunnel = false;
  return s;
}

// Printable: what is not ASCII text becomes \xNN.
inline std::string escaped(std::string_view bytes);
inline std::string described(const Fields& fields);
// Method, target, framing, fields: everything that the head means, nothing of how it was cut.
inline std::string described(const Head& head);

class Recorder final : public CodecSink {
 public:
  WireStream& on_begin(StreamId) override { return fresh_stream(); }
  Arena& arena_of(WireStream&) override { return arena_; }
  void on_head(WireStream&, Head& head, bool end) override;
  void on_data(WireStream&, std::string_view data) override;
  void on_end(WireStream&, Fields* trailers) override;

  // Runs of data count as one, however they were cut.
  std::string text;
  std::vector<std::string> bodies;
  int heads = 0;
  int ends = 0;

 private:
  Arena arena_{1024};
  bool in_data_ = false;
};

struct Setting {
  Role role = Role::kServer;
  HeadLimits limits;
  Method request = Method::kGet;  // client: what the response answers
  bool upgrade = false;
  bool eof = false;  // the peer's direction ends behind the bytes
};

struct Run {
  std::string text;  // callbacks, then how it ended
  std::vector<std::string> bodies;
  Cause cause = Cause::kNone;
  int heads = 0;
  int ends = 0;
  bool complete = false;  // nothing is left half read
};

inline Run run(const Setting& setting, const std::vector<std::string_view>& pieces);
// A client's codec as it is when its request has left.
inline void open_asked(H1Codec& codec, const Setting& setting) {
  codec.open(fresh_stream(), setting.request, setting.upgrade);
  one_stream().out = Direction::kEnded;
}
inline Run run(const Setting& setting, std::string_view whole) { return run(setting, std::vector{whole}); }
inline std::vector<std::string_view> single_bytes(std::string_view bytes);
// Pieces of 1..longest bytes, chosen by a small generator from `seed`.
inline std::vector<std::string_view> random_cuts(std::string_view bytes, std::uint64_t seed, std::size_t longest);

inline std::string escaped(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (char c : bytes) {
    unsigned char u = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (u < 0x20 || u >= 0x7f) {
      out += "\\x";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
  return out;
}

inline std::string described(const Fields& fields) {
  std::string out;
  for (const Field& f : fields) {
    if (f.removed) continue;
    out += "  ";
    out += f.name();
    out += "=[";
    out += escaped(f.value());
    out += "]\n";
  }
  return out;
}

inline std::string described(const Head& h) {
  std::string out;
  auto put = [&](const char* key, std::string_view value) {
    out += std::string(" ") + key + "=[" + escaped(value) + "]";
  };
  auto number = [&](const char* key, std::int64_t value) {
    out += std::string(" ") + key + "=" + std::to_string(value);
  };
  if (h.status != 0) {
    number("status", h.status);
    put("reason", h.reason);
    number("declared", h.declared_length);
    number("patience", h.keep_alive_timeout);
  } else {
    put("method", h.method_text);
    put("target", h.target);
    put("authority", h.authority);
    put("path", h.path);
    if (h.has_query) put("query", h.query);
    number("expect", h.expect_continue);
  }
  number("version", static_cast<int>(h.version));
  number("body", static_cast<int>(h.body.kind));
  out += ":" + std::to_string(h.body.length);
  number("keep", h.keep_alive);
  number("upgrade", h.upgrade);
  number("size", h.wire_size);
  return out + "\n" + described(h.fields);
}

inline void Recorder::on_head(WireStream&, Head& head, bool end) {
  in_data_ = false;
  ++heads;
  bodies.emplace_back();
  text += "head" + described(head);
  if (end) {
    ++ends;
    text += "end with the head\n";
  }
}

inline void Recorder::on_data(WireStream&, std::string_view data) {
  if (data.empty()) return;
  if (!in_data_) text += "data ";
  if (in_data_) text.pop_back();
  in_data_ = true;
  text += escaped(data) + "\n";
  if (!bodies.empty()) bodies.back() += data;
}

inline void Recorder::on_end(WireStream&, Fields* trailers) {
  in_data_ = false;
  ++ends;
  text += "end\n";
  if (trailers != nullptr) text += "trailers\n" + described(*trailers);
}

inline Run run(const Setting& setting, const std::vector<std::string_view>& pieces) {
  H1Codec codec(setting.role, setting.limits);
  if (setting.role == Role::kClient) open_asked(codec, setting);
  Recorder sink;
  Run out;
  std::string held;
  bool over = false;
  for (std::string_view piece : pieces) {
    held += piece;
    while (!over && out.cause == Cause::kNone) {
      FeedResult r = codec.feed(held, sink);
      held.erase(0, r.consumed);
      out.cause = r.cause;
      if (r.cause != Cause::kNone || !codec.message_done()) break;
      if (setting.role == Role::kClient) {
        over = true;
      } else {
        codec.next_message();
        if (held.empty()) break;
      }
    }
  }
  out.complete = over || (setting.role == Role::kServer && codec.between_messages());
  if (setting.eof && out.cause == Cause::kNone) {
    out.cause = codec.feed_end(sink).cause;
    out.complete = out.cause == Cause::kNone;
  }
  out.text = sink.text;
  if (out.cause != Cause::kNone) {
    out.text += "refused " + std::string(info(out.cause).name) + "\n";
  } else {
    out.text += (out.complete ? "complete, left [" : "waiting, left [") + escaped(held) + "]\n";
  }
  out.bodies = sink.bodies;
  out.heads = sink.heads;
  out.ends = sink.ends;
  return out;
}

inline std::vector<std::string_view> single_bytes(std::string_view bytes) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < bytes.size(); ++i) out.push_back(bytes.substr(i, 1));
  return out;
}

inline std::vector<std::string_view> random_cuts(std::string_view bytes, std::uint64_t seed, std::size_t longest) {
  Random random(seed * 2 + 1);
  std::vector<std::string_view> out;
  while (!bytes.empty()) {
    std::size_t n = std::min<std::size_t>(1 + random.below(longest), bytes.size());
    out.push_back(bytes.substr(0, n));
    bytes.remove_prefix(n);
  }
  return out;
}

}  // namespace albatross::http_test
