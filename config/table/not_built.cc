#include "config/table/not_built.h"

namespace albatross::config {
namespace {

struct NotBuilt {
  std::string_view object, key, value;
};

// When one of these is built, its line is deleted: decoding, structs and schema know the value already.
constexpr NotBuilt kNotBuilt[] = {
    {"listener", "protocol", "quic"},
    {"listener", "protocol", "tcp"},
    {"listener", "protocol", "tls"},
    {"listener", "protocol", "udp"},
};

}  // namespace

bool is_built(std::string_view object, std::string_view key, std::string_view value) {
  for (const NotBuilt& entry : kNotBuilt) {
    if (entry.object == object && entry.key == key && entry.value == value) return false;
  }
  return true;
}

}  // namespace albatross::config
