// Bytes as a client's of HTTP/2, behind a good preface: whatever comes, each stream ends once, heads are what rules and
// servers may rely on, and answers go out.
#include <cstdlib>
#include <iostream>
#include <map>

#include "http/uri.h"
#include "tests/unit/http/h2_pair.h"

namespace albatross::http_test {
namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::cerr << what << "\n";
  std::abort();
}

void check_request(const Head& h) {
  require(is_token(h.method_text), "the method is no token");
  require(valid_authority(h.authority), "the authority is no host");
  require(h.target == "*" || h.target[0] == '/', "the target is no path");
  for (char c : h.target)
    require(static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f, "the target");
  for (const Field& f : h.fields) {
    if (f.removed) continue;
    require(is_token(f.name()) && is_field_value(f.value()), "a field that HTTP/1.1 would read otherwise");
    require(f.id != HeaderId::kTransferEncoding && f.id != HeaderId::kConnection && f.id != HeaderId::kContentLength,
            "framing");
  }
}

void check(std::string_view input) {
  std::uint8_t how = static_cast<std::uint8_t>(input[0]);
  HeadLimits limits;
  if (how % 4 == 3) limits = {200, 60, 6};
  H2End end(Role::kServer, limits);
  end.consume = how % 8 != 1;
  end.when_head = [&](WireStream& s, Head& h, bool) {
    check_request(h);
    if (how % 5 == 1) return end.codec.abandon(s);
    Head answer = end.response(h.upgrade ? 101 : 200);
    bool whole = how % 5 == 2;
    end.send_head(s, answer, whole);
    if (h.upgrade) end.codec.start_tunnel(s);
    if (whole) return;
    static const std::string body(100'000, 'b');
    end.send_data(s, std::string_view(body).substr(0, how * 400u));
    if (how % 5 != 3) end.send_end(s);
  };
  std::string bytes(kH2Preface);
  if (how % 16 != 15) bytes += std::string("\0\0\0\4\0\0\0\0\0", 9);
  bytes += input.substr(1);
  std::uint64_t now = kSecond;
  for (std::string_view piece : how % 3 == 0 ? single_bytes(bytes) : random_cuts(bytes, how, 1 + how)) {
    end.codec.set_time(now += kMilli);
    end.hear(piece);
    end.said();
    if (end.codec.failure().cause != Cause::kNone) break;
  }
  end.said();
  std::map<StreamId, int> closes;
  for (std::size_t at = 0; (at = end.text.find(" closed", at)) != std::string::npos; ++at) {
    std::size_t start = end.text.rfind(';', at);
    start = start == std::string::npos ? 0 : start + 1;
    require(++closes[static_cast<StreamId>(std::stoul(end.text.substr(start, at - start)))] == 1,
            "a stream ended twice");
  }
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1) albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
