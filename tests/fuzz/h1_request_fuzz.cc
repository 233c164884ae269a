// Bytes as a client's: cuts change nothing, and what is accepted means the same when it is written and read again.
#include <cstdlib>
#include <iostream>

#include "http/h1/write.h"
#include "tests/unit/http/codec_recorder.h"

namespace albatross::http_test {
namespace {

void require(bool ok, const char* what, std::string_view first, std::string_view second) {
  if (ok) return;
  std::cerr << what << "\n--- one\n" << first << "\n--- other\n" << second << "\n";
  std::abort();
}

// Writes each head that comes and reads it again.
class Rewriter final : public CodecSink {
 public:
  WireStream& on_begin(StreamId) override { return fresh_stream(); }
  Arena& arena_of(WireStream&) override { return arena_; }
  void on_head(WireStream&, Head& head, bool) override {
    if (head.authority.empty()) return;  // HTTP/1.0 without a host has no form in 1.1
    std::string written = text_of(head);
    static const HeadLimits limits{128 * 1024, 64 * 1024, kMaxFields};
    H1Codec codec(Role::kServer, limits);
    Reader again;
    FeedResult r = codec.feed(written, again);
    require(r.cause == Cause::kNone && r.consumed == written.size() && again.heads == 1, "not read again",
            described(head), written);
    require(meaning(again.head) == meaning(head), "another meaning", described(head), written);
    require(text_of(again.head) == written, "not stable", written, text_of(again.head));
  }
  void on_data(WireStream&, std::string_view) override {}
  void on_end(WireStream&, Fields*) override {}

 private:
  struct Reader final : CodecSink {
    WireStream& on_begin(StreamId) override { return fresh_stream(); }
    Arena& arena_of(WireStream&) override { return arena; }
    void on_head(WireStream&, Head& h, bool) override {
      head = h;
      ++heads;
    }
    void on_data(WireStream&, std::string_view) override {}
    void on_end(WireStream&, Fields*) override {}
    Arena arena;
    Head head;
    int heads = 0;
  };
  static std::string meaning(Head h) {
    h.target = {};
    h.wire_size = 0;
    h.version = Version::kHttp11;
    h.expect_continue = false;  // answered here, never passed on
    return described(h);
  }
  static std::string text_of(const Head& h) {
    static BlockPool pool;
    OutputScratch scratch;
    Output out(pool, scratch);
    write_request_head(h, out);
    iovec parts[64];
    std::string text;
    for (int i = 0, n = out.peek(parts, 64); i < n; ++i)
      text.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    return text;
  }
  Arena arena_;
};

void check(std::string_view input) {
  std::uint8_t how = static_cast<std::uint8_t>(input[0]);
  // An ended line lets every run come to its decision.
  std::string bytes = std::string(input.substr(1)) + "\r\n\r\n";
  Setting setting;
  bool small = how % 4 == 3;
  if (small) setting.limits = {200, 60, 6};
  setting.eof = how % 8 == 0;
  Run whole = run(setting, bytes);
  for (const auto& pieces :
       {random_cuts(bytes, how, 1 + how / 4), how % 3 == 0 ? single_bytes(bytes) : random_cuts(bytes, how + 256u, 9)}) {
    Run cut = run(setting, pieces);
    require(cut.heads == whole.heads && cut.bodies == whole.bodies &&
                (cut.cause == Cause::kNone) == (whole.cause == Cause::kNone),
            "cuts matter", whole.text, cut.text);
    // Which of two limits is met first may depend on what has come.
    if (!small) require(cut.text == whole.text, "cuts matter", whole.text, cut.text);
  }
  H1Codec codec(Role::kServer, setting.limits);
  Rewriter rewriter;
  for (std::string_view rest = bytes; !rest.empty();) {
    FeedResult r = codec.feed(rest, rewriter);
    rest.remove_prefix(r.consumed);
    if (r.cause != Cause::kNone || !codec.message_done()) break;
    codec.next_message();
  }
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1) albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
