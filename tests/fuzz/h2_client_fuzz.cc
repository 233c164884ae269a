// Bytes as a server's of HTTP/2 to a client with three requests under way: each stream ends at most once, and nothing
// but heads that an HTTP/1.1 client may be sent comes out.
#include <cstdlib>
#include <iostream>

#include "tests/unit/http/h2_pair.h"

namespace albatross::http_test {
namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::cerr << what << "\n";
  std::abort();
}

void check(std::string_view input) {
  std::uint8_t how = static_cast<std::uint8_t>(input[0]);
  H2End end(Role::kClient);
  end.consume = how % 8 != 1;
  end.when_head = [&](WireStream& s, Head& h, bool) {
    require(h.status >= 100 && h.status <= 999, "the status is no status");
    for (const Field& f : h.fields) {
      require(f.removed || (is_token(f.name()) && is_field_value(f.value())),
              "a field that HTTP/1.1 would read otherwise");
    }
    if (how % 5 == 1 && h.status >= 200) end.codec.abandon(s);
  };
  std::string bytes;
  if (how % 16 != 15) bytes += std::string("\0\0\0\4\0\0\0\0\0", 9);
  bytes += input.substr(1);
  static const std::string body(70'000, 'b');
  for (int i = 0; i < 3; ++i) {
    Head h = end.get();
    if (i == 1) h.method = Method::kHead, h.method_text = "HEAD";
    if (i == 2) h.body.kind = BodyLength::Kind::kChunked;
    WireStream& s = end.request(h, i != 2);
    if (i == 2) end.send_data(s, body);
  }
  end.said();
  std::uint64_t now = kSecond;
  for (std::string_view piece : how % 3 == 0 ? single_bytes(bytes) : random_cuts(bytes, how, 1 + how)) {
    end.codec.set_time(now += kMilli);
    end.hear(piece);
    end.said();
    if (end.codec.failure().cause != Cause::kNone) break;
  }
  for (const char* id : {"1 closed", "3 closed", "5 closed"}) {
    std::size_t first = end.text.find(id);
    require(first == std::string::npos || end.text.find(id, first + 1) == std::string::npos, "a stream ended twice");
  }
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1) albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
