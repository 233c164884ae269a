// Bytes as a target and as an authority: what is normal stays as it is, grows by escapes only, and climbs nowhere.
#include <cstdlib>
#include <iostream>
#include <string>

#include "http/uri.h"

namespace albatross::http_test {
namespace {

void require(bool ok, const char* what, std::string_view from, std::string_view to) {
  if (ok) return;
  std::cerr << what << ": [" << from << "] [" << to << "]\n";
  std::abort();
}

bool plain(int v) {
  return (v >= 'a' && v <= 'z') || (v >= 'A' && v <= 'Z') || (v >= '0' && v <= '9') || v == '-' || v == '.' ||
         v == '_' || v == '~';
}

// What `path` may grow to: a byte that is not ASCII is escaped.
std::size_t longest(std::string_view path) {
  std::size_t n = path.size();
  for (char c : path) n += static_cast<unsigned char>(c) >= 0x80 ? 2 : 0;
  return n;
}

void check_path(std::string_view path, EncodedSlash slashes) {
  Arena arena;
  std::string_view once, twice;
  if (normalise_path(path, slashes, arena, once).cause != Cause::kNone) return;
  require(normalise_path(once, slashes, arena, twice).cause == Cause::kNone, "refused again", path, once);
  require(once == twice, "not stable", once, twice);
  require(once.size() <= longest(path), "longer", path, once);
  require(!once.empty() && once[0] == '/', "no slash in front", path, once);
  std::string framed = std::string(once) + "/";
  for (const char* dots : {"/./", "/../", "/.;", "/..;"})
    require(framed.find(dots) == std::string::npos, "dots", path, once);
  for (std::size_t i = 0; i < once.size(); ++i) {
    if (once[i] != '%') continue;
    require(i + 2 < once.size(), "a cut escape", path, once);
    int v = std::stoi(std::string(once.substr(i + 1, 2)), nullptr, 16);
    require(!plain(v), "a needless escape", path, once);
    if (slashes == EncodedSlash::kReject) require(v != '/' && v != '\\' && v != 0, "an encoded slash", path, once);
  }
}

void check(std::string_view input) {
  if (valid_authority(input)) {
    require(!host_of(input).empty(), "no host", input, host_of(input));
    require(port_of(input).size() <= 5, "a long port", input, port_of(input));
    require(input.find_first_of(" \t\r\n@/?#\\") == std::string_view::npos, "separators", input, "");
  }
  if (input.empty()) return;
  Head head;
  head.target = input;
  head.method = input.size() % 2 == 0 ? Method::kGet : Method::kOptions;
  if (split_target(head).cause != Cause::kNone) return;
  require(head.path == "*" || head.path[0] == '/', "no path", input, head.path);
  if (head.path == "*") return;
  check_path(head.path, EncodedSlash::kReject);
  check_path(head.path, EncodedSlash::kPass);
}

}  // namespace
}  // namespace albatross::http_test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  albatross::http_test::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
