#include "http/underscores.h"

#include <algorithm>

#include "base/text.h"
#include "http/header_properties.h"

namespace albatross {
namespace {

bool has_underscore(std::string_view name) { return name.find('_') != std::string_view::npos; }

char folded(char c) { return c == '_' ? '-' : ascii_lower(c); }

bool imitates_read(std::span<const std::string> read, std::string_view name) {
  const auto before = [](const std::string& known, std::string_view asked) {
    return std::lexicographical_compare(known.begin(), known.end(), asked.begin(), asked.end(),
                                        [](char a, char b) { return folded(a) < folded(b); });
  };
  const auto it = std::lower_bound(read.begin(), read.end(), name, before);
  return it != read.end() &&
         std::equal(it->begin(), it->end(), name.begin(), name.end(), [](char a, char b) { return a == folded(b); });
}

}  // namespace

bool imitates_known(std::string_view name) {
  constexpr std::size_t kLongest = 48;  // no name that has an id is longer
  if (name.size() > kLongest || !has_underscore(name)) return false;
  char text[kLongest];
  std::transform(name.begin(), name.end(), text, folded);
  return has_property(header_id({text, name.size()}), ~0U);
}

std::uint32_t drop_underscored(Underscores how, std::span<const std::string> read, Fields& fields) {
  if (how == Underscores::kPass) return 0;
  std::uint32_t dropped = 0;
  for (Field& f : fields) {
    if (f.removed || f.id != HeaderId::kOther || !has_underscore(f.name())) continue;
    if (how == Underscores::kProtect && !imitates_known(f.name()) && !imitates_read(read, f.name())) continue;
    f.removed = true;
    ++dropped;
  }
  return dropped;
}

}  // namespace albatross
