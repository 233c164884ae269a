// Bytes as a chunked body: cuts change nothing, and data that is written comes back.
#include <cstdlib>
#include <iostream>

#include "http/h1/chunked.h"
#include "tests/unit/http/codec_recorder.h"

namespace albatross::http_test {
namespace {

void require(bool ok, const char* what) {
  if (ok) return;
  std::cerr << what << "\n";
  std::abort();
}

struct Read {
  std::string data;
  bool bad = false;
  bool done = false;
  std::size_t eaten = 0;
};

Read read(const std::vector<std::string_view>& pieces) {
  ChunkedReader reader;
  Read out;
  for (std::string_view piece : pieces) {
    while (!piece.empty() && !out.bad && !out.done) {
      std::size_t consumed = 0;
      std::string_view data;
      ChunkedReader::Step step = reader.next(piece, consumed, data);
      require(consumed <= piece.size(), "eats more than is there");
      if (step == ChunkedReader::Step::kData) {
        require(!data.empty() && data.data() >= piece.data() && data.data() + data.size() <= piece.data() + consumed,
                "data from elsewhere");
        out.data += data;
      }
      out.bad = step == ChunkedReader::Step::kBad;
      out.done = step == ChunkedReader::Step::kTrailers;
      require(out.bad || out.done || step == ChunkedReader::Step::kData || consumed == piece.size(),
              "waits with bytes at hand");
      out.eaten += consumed;
      piece.remove_prefix(consumed);
    }
  }
  return out;
}

// The same body as our own writer frames it, in pieces of a size from the input.
void check_round_trip(std::string_view body, std::size_t piece) {
  static BlockPool pool;
  static const HeadLimits limits;
  OutputScratch scratch;
  Output out(pool, scratch);
  H1Codec codec(Role::kServer, limits);
  Arena arena;
  Head head;
  head.fields = Fields(arena);
  head.status = 200;
  head.body = {BodyLength::Kind::kChunked, 0};
  codec.send_head(fresh_stream(), head, false, out);
  for (std::string_view rest = body; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
    codec.send_data(one_stream(), rest.substr(0, piece), out);
    out.own_all();
    scratch.clear();
  }
  codec.send_end(one_stream(), nullptr, out);
  out.own_all();
  std::string text;
  while (!out.empty()) {
    iovec part;
    require(out.peek(&part, 1) == 1, "no view of what is there");
    text.append(static_cast<char*>(part.iov_base), part.iov_len);
    out.consume(part.iov_len);
  }
  Setting setting;
  setting.role = Role::kClient;
  Run r = run(setting, text);
  require(r.complete && r.bodies.size() == 1 && r.bodies[0] == body, "another body");
}

void check(std::string_view input) {
  std::uint8_t how = static_cast<std::uint8_t>(input[0]);
  std::string_view bytes = input.substr(1);
  Read whole = read({bytes});
  for (const auto& pieces : {single_bytes(bytes), random_cuts(bytes, how, 1 + how % 16)}) {
    Read cut = read(pieces);
    require(cut.data == whole.data && cut.bad == whole.bad && cut.done == whole.done, "cuts matter");
    require(whole.bad || cut.eaten == whole.eaten, "cuts matter to what is eaten");
  }
  check_round_trip(bytes, 1u + how);
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1) albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
