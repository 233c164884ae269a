#include "http/grpc.h"

#include <algorithm>
#include <charconv>

namespace albatross {
namespace {

struct Unit {
  char letter;
  Nanos size;
};
constexpr Unit kUnits[] = {{'n', 1},       {'u', 1000},         {'m', kMilli},
                           {'S', kSecond}, {'M', 60 * kSecond}, {'H', 3600 * kSecond}};
constexpr Nanos kMost = 99'999'999;

}  // namespace

bool is_grpc(const Head& request) {
  std::string_view type = request.fields.value(HeaderId::kContentType);
  return type.size() >= 16 && equals_ignore_case(type.substr(0, 16), "application/grpc") &&
         (type.size() == 16 || type[16] == '+' || type[16] == ';');
}

std::optional<Nanos> parse_grpc_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::uint32_t n = 0;
  const char* end = text.data() + text.size() - 1;
  if (std::from_chars(text.data(), end, n).ptr != end) return std::nullopt;
  for (const Unit& u : kUnits) {
    // A timeout of more than a century is treated as a century, so that the product does not overflow.
    constexpr Nanos kForEver = 100ull * 365 * 24 * 3600 * kSecond;
    if (u.letter == text.back()) return n > kForEver / u.size ? kForEver : n * u.size;
  }
  return std::nullopt;
}

std::size_t write_grpc_timeout(Nanos timeout, char* out) {
  for (const Unit& u : kUnits) {
    Nanos n = timeout / u.size;
    if (n > kMost && u.letter != 'H') continue;
    char* p = std::to_chars(out, out + 8, std::min(n, kMost)).ptr;
    *p++ = u.letter;
    return static_cast<std::size_t>(p - out);
  }
  return 0;
}

}  // namespace albatross
