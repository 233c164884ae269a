// The scalar types with a list of allowed values, and the message for any other value.
#include <algorithm>

#include "config/table/types.h"

namespace albatross::config {
namespace {

constexpr std::size_t kMostListed = 8;   // more names than this do not help in a message
constexpr std::size_t kMostNearest = 3;  // shown instead of the list

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

}  // namespace

std::string joined(const std::vector<std::string>& words) { return joined(words, ", "); }

Json one_of_schema(const std::vector<std::string>& names) { return or_env({{"enum", names}}); }

void report_not_allowed(Decoder& d, Place at, const std::string& text, const std::vector<std::string>& allowed) {
  const std::vector<std::string> names = d.offered(allowed);
  const std::string near = nearest(text, names);
  d.error(at, quote(text) + (names.size() == 1 ? " is not " : " is not one of ") + joined(names),
          near.empty() ? "" : "did you mean \"" + near + "\"?");
}

Type<std::uint16_t> code_of(std::vector<std::uint16_t> codes) {
  std::vector<std::string> names;
  names.reserve(codes.size());
  for (const std::uint16_t code : codes) names.push_back(std::to_string(code));
  TypeInfo info{"number", joined(names), or_env({{"enum", codes}})};
  return {std::move(info),
          [codes = std::move(codes), names](Decoder& d, const Node& node, std::uint16_t& out) {
            const auto text = d.bare(node, "a number");
            if (!text) return false;
            const auto found = std::find(names.begin(), names.end(), *text);
            if (found == names.end()) {
              d.error(node.at, quote(*text) + " is not one of " + joined(names));
              return false;
            }
            out = codes[static_cast<std::size_t>(found - names.begin())];
            return true;
          },
          [](const std::uint16_t& code) { return Json(code); }};
}

Type<bool> boolean() {
  return {{"boolean", {}, or_env({{"enum", {true, false}}})},
          [](Decoder& d, const Node& node, bool& out) {
            const std::string either = joined(d.offered({"true", "false"}), " or ");
            const auto text = d.bare(node, either);
            if (!text) return false;
            out = *text == "true";
            if (out || *text == "false") return true;
            d.error(node.at, quote(*text) + " is not a boolean", "write " + either);
            return false;
          },
          [](const bool& value) { return Json(value); }};
}

Type<std::string> known_name(const std::string& what, std::vector<std::string> names) {
  Type<std::string> type{
      {"name", joined(names), one_of_schema(names)}, {}, [](const std::string& name) { return Json(name); }};
  type.decode = [what, names = std::move(names)](Decoder& d, const Node& node, std::string& out) {
    auto text = d.text(node);
    if (!text) return false;
    out = std::move(*text);
    if (std::find(names.begin(), names.end(), out) != names.end()) return true;
    const std::string near = nearest(out, names);
    std::string hint = near.empty() ? "known are " + joined(names) : "did you mean \"" + near + "\"?";
    if (names.size() == 1) hint = "write " + names[0];
    if (names.size() > kMostListed) {
      hint = "the nearest are " + joined(nearest(out, names, kMostNearest)) + "; `albatross schema` lists all";
    }
    d.error(node.at, quote(out) + " is not a known " + what, hint);
    return false;
  };
  return type;
}

}  // namespace albatross::config
