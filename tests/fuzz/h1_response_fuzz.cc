// Bytes as a server's: cuts change nothing, one response is one, and a written head reads as it was.
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

// Final heads are written and read again, as answers to the same request.
class Rewriter final : public CodecSink {
 public:
  explicit Rewriter(Method request) : request_(request) {}
  WireStream& on_begin(StreamId) override { return fresh_stream(); }
  Arena& arena_of(WireStream&) override { return arena_; }
  void on_head(WireStream&, Head& head, bool) override {
    if (head.status < 200) return;
    static BlockPool pool;
    OutputScratch scratch;
    Output out(pool, scratch);
    write_response_head(head, out);
    iovec parts[64];
    std::string text;
    for (int i = 0, n = out.peek(parts, 64); i < n; ++i)
      text.append(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    static ParsedHead rows;
    static const HeadLimits limits{128 * 1024, 64 * 1024, kMaxFields};
    ParseResult r = parse_response_head(text, limits, request_, false, rows);
    require(r.state == ParseState::kComplete && r.size == text.size(), "not read again", described(head), text);
    require(rows.head.status == head.status && rows.head.body == head.body &&
                rows.head.declared_length == head.declared_length && rows.head.keep_alive == head.keep_alive,
            "another meaning", described(head), text);
  }
  void on_data(WireStream&, std::string_view) override {}
  void on_end(WireStream&, Fields*) override {}

 private:
  Arena arena_;
  Method request_;
};

void check(std::string_view input) {
  std::uint8_t how = static_cast<std::uint8_t>(input[0]);
  std::string bytes = std::string(input.substr(1)) + "\r\n\r\n";
  Setting setting;
  setting.role = Role::kClient;
  setting.request = how % 4 == 1 ? Method::kHead : Method::kGet;
  setting.upgrade = how % 4 == 2;
  setting.eof = how % 2 == 0;
  Run whole = run(setting, bytes);
  require(whole.ends <= 1, "more than one response", whole.text, "");
  for (const auto& pieces :
       {random_cuts(bytes, how, 1 + how / 4), how % 3 == 0 ? single_bytes(bytes) : random_cuts(bytes, how + 256u, 9)}) {
    Run cut = run(setting, pieces);
    require(cut.text == whole.text, "cuts matter", whole.text, cut.text);
  }
  H1Codec codec(Role::kClient, setting.limits);
  open_asked(codec, setting);
  Rewriter rewriter(setting.request);
  (void)codec.feed(bytes, rewriter);
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1) albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
