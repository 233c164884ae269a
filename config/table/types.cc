#include "config/table/types.h"

#include <charconv>

#include "base/text.h"

namespace albatross::config {
namespace {

// A number type of any width within a range.
template <class T>
Type<T> ranged(TypeInfo info, T least, T most, const char* wanted, Parsed<std::uint64_t> (*parse)(std::string_view),
               bool quoted) {
  const std::string range = info.range;
  return {std::move(info),
          [=](Decoder& d, const Node& node, T& out) {
            const auto text = quoted ? d.text(node) : d.bare(node, wanted);
            if (!text) return false;
            std::uint64_t value = 0;
            if (!take(d, node, parse(*text), value)) return false;
            if (value < least || value > most) {
              d.error(node.at, *text + " is out of range", "it is " + range);
              return false;
            }
            out = static_cast<T>(value);
            return true;
          },
          [](const T& value) { return Json(value); }};
}

template <class T>
Type<T> whole_number(T least, T most) {
  TypeInfo info{"number", std::to_string(least) + " to " + std::to_string(most), {}};
  info.schema = or_env({{"type", "integer"}, {"minimum", least}, {"maximum", most}});
  return ranged<T>(std::move(info), least, most, "a number", parse_number, false);
}

TextCheck not_empty() {
  return [](const std::string& text) {
    return std::pair<std::string, std::string>(text.empty() ? "the text is empty" : "", "");
  };
}

bool is_bindable(Decoder& d, const Node& node, const Address& address) {
  if (address.kind == Bind::Kind::kUnix || address.host.empty() || address.host == "localhost" || is_ip(address.host))
    return true;
  const std::string port = ':' + std::to_string(address.port);
  d.error(node.at, quote(address.host) + " is a name, not an address of this machine",
          "write " + port + " for every address, or one like 127.0.0.1" + port);
  return false;
}

}  // namespace

Json or_env(Json schema) {
  const Json env = {{"$ref", "#/definitions/env"}};
  return {{"anyOf", {std::move(schema), env}}};
}

Json text_schema() { return {{"type", {"string", "number", "boolean"}}}; }

Json pattern_schema(const std::string& pattern, bool or_number) {
  const Json type = or_number ? Json{"string", "number"} : Json("string");
  return {{"type", type}, {"pattern", "(" + pattern + ")|\\$\\{env:"}};
}

bool is_template(const std::string& text) { return text.find("${") != std::string::npos; }

Type<Duration> duration(Duration least, Duration most) {
  const std::string range = to_text(least) + " to " + to_text(most);
  TypeInfo info{"duration", range, pattern_schema("^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$")};
  return {std::move(info),
          [=](Decoder& d, const Node& node, Duration& out) {
            const auto text = d.text(node);
            if (!text || !take(d, node, parse_duration(*text), out)) return false;
            if (out >= least && out <= most) return true;
            d.error(node.at, *text + " is out of range", "it is " + range);
            return false;
          },
          [](const Duration& value) { return Json(to_text(value)); }};
}

Type<std::uint64_t> size(std::uint64_t least, std::uint64_t most) {
  TypeInfo info{"size", size_to_text(least) + " to " + size_to_text(most), pattern_schema("^[0-9]+([KMG]i)?B$")};
  Type<std::uint64_t> type = ranged<std::uint64_t>(std::move(info), least, most, "a size", parse_size, true);
  type.show = [](const std::uint64_t& bytes) { return Json(size_to_text(bytes)); };
  return type;
}

Type<std::uint64_t> big_number(std::uint64_t least, std::uint64_t most) { return whole_number(least, most); }
Type<std::uint32_t> number(std::uint32_t least, std::uint32_t most) { return whole_number(least, most); }
Type<std::uint32_t> per_second(std::uint32_t least, std::uint32_t most) {
  const Type<std::uint32_t> plain = number(least, most);
  TypeInfo info{"rate", plain.info.range + "; `/s` may follow", pattern_schema("^[0-9]+(/s)?$", true)};
  return {std::move(info), [plain](Decoder& d, const Node& node, std::uint32_t& out) {
            Node bare = node;
            if (bare.text.ends_with("/s")) bare.text.resize(bare.text.size() - 2);
            return plain.decode(d, bare, out);
          }};
}

Type<double> factor(double least, double most) {
  const std::string range = Json(least).dump() + " to " + Json(most).dump() + " or `off`";
  TypeInfo info{
      "factor", range,
      or_env({{"anyOf", {{{"type", "number"}, {"minimum", least}, {"maximum", most}}, {{"enum", {"off", false}}}}}})};
  return {std::move(info),
          [=](Decoder& d, const Node& node, double& out) {
            const auto text = d.text(node);
            if (!text) return false;
            out = 0;
            if (*text == "off") return true;
            const char* const last = text->data() + text->size();
            const auto [end, error] = std::from_chars(text->data(), last, out);
            if (error == std::errc() && end == last && out >= least && out <= most) return true;
            d.error(node.at, quote(text->substr(0, 64)) + " is not a factor", "it is " + range);
            return false;
          },
          [](const double& value) { return value == 0 ? Json("off") : Json(value); }};
}

Type<std::uint16_t> small_number(std::uint16_t least, std::uint16_t most) { return whole_number(least, most); }

Type<std::string> checked(Type<std::string> type, TextCheck check) {
  TypeInfo info = type.info;
  auto show = type.show;
  return {std::move(info),
          [type = std::move(type), check = std::move(check)](Decoder& d, const Node& node, std::string& out) {
            if (!type.decode(d, node, out)) return false;
            auto [error, hint] = check(out);
            if (error.empty()) return true;
            d.error(node.at, std::move(error), std::move(hint));
            return false;
          },
          std::move(show)};
}

Type<SameSite> same_site() {
  return choice<SameSite>({{"lax", SameSite::kLax}, {"strict", SameSite::kStrict}, {"none", SameSite::kNone}});
}

Type<std::string> text(Text reader) {
  Type<std::string> type{{reader == Text::kTemplate ? "template" : "text", {}, text_schema()},
                         [reader](Decoder& d, const Node& node, std::string& out) {
                           auto text = d.text(node, reader);
                           if (text) out = std::move(*text);
                           return text.has_value();
                         },
                         [](const std::string& text) { return Json(text); }};
  return reader == Text::kBody ? type : checked(std::move(type), not_empty());
}

Type<std::string> name() {
  Type<std::string> type = checked(text(), [](const std::string& text) -> std::pair<std::string, std::string> {
    if (is_name(text)) return {};
    return {quote(text) + " is not a name",
            "use letters, digits, . _ - and at most 63 of them, a letter or digit first"};
  });
  type.info.text = "name";
  type.info.schema = pattern_schema("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", true);
  return type;
}

Type<std::string> token(const std::string& what) {
  Type<std::string> type = checked(text(), [what](const std::string& text) -> std::pair<std::string, std::string> {
    if (is_token(text)) return {};
    return {quote(text) + " is not a " + what, "it is made of letters, digits and !#$%&'*+-.^_`|~"};
  });
  type.info.text = what;
  type.info.schema = pattern_schema("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
  return type;
}

Type<std::string> file_path() {
  const Type<std::string> plain = text();
  return {{"path", {}, text_schema()}, [plain](Decoder& d, const Node& node, std::string& out) {
            if (!plain.decode(d, node, out)) return false;
            out = d.absolute(out, node.at);
            return true;
          }};
}

Type<std::string> url_path() {
  Type<std::string> type = checked(text(), [](const std::string& text) -> std::pair<std::string, std::string> {
    if (!text.starts_with('/')) return {"a path starts with /", "did you mean \"/" + text.substr(0, 64) + "\"?"};
    if (text.find_first_of(" #\t") != std::string::npos) return {"a path has no spaces and no #", "escape them with %"};
    return {};
  });
  type.info.schema = pattern_schema("^/");
  return type;
}

Type<std::string> network() {
  return {{"address or CIDR", {}, text_schema()}, [](Decoder& d, const Node& node, std::string& out) {
            const auto text = d.text(node);
            return text && take(d, node, parse_network(*text), out);
          }};
}

bool take_address(Decoder& d, const Node& node, const std::string& text, Address& out) {
  constexpr std::size_t kLongestUnixPath = 107;  // sockaddr_un
  if (!take(d, node, parse_address(text), out)) return false;
  if (out.kind != Bind::Kind::kUnix) return true;
  out.host = d.absolute(out.host, node.at);
  if (out.host.size() <= kLongestUnixPath) return true;
  d.error(node.at, "the path of the unix socket is too long", "the system takes at most 107 bytes");
  return false;
}

Type<Bind> bind_address() {
  return {{"address", "`:port`, `address:port`, `[v6]:port` or `unix:/path`", text_schema()},
          [](Decoder& d, const Node& node, Bind& out) {
            auto text = d.text(node);
            if (!text) return false;
            Address address;
            if (!take_address(d, node, *text, address) || !is_bindable(d, node, address)) return false;
            out.kind = address.kind;
            out.host = address.host;
            out.port = address.port;
            out.text = std::move(*text);
            out.at = node.at;
            return true;
          }};
}

Type<Pattern> method() {
  const Type<std::string> plain = token("method");
  return {plain.info, [plain](Decoder& d, const Node& node, Pattern& out) {
            out = Pattern{};
            out.at = node.at;
            if (!plain.decode(d, node, out.text)) return false;
            std::string upper = out.text;
            for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
            if (upper != out.text) d.warning(node.at, "methods are case-sensitive", "did you mean " + upper + "?");
            return true;
          }};
}

}  // namespace albatross::config
