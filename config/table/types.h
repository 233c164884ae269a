// The scalar types that the tables are made of: each reads one text, checks it and describes itself. Threads as in
// type.h.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/scalar.h"
#include "config/table/type.h"

namespace albatross::config {

// Parts of schemas. All of them admit `${env:…}`.
Json text_schema();  // any scalar, since YAML reads some texts as numbers
Json pattern_schema(const std::string& pattern, bool or_number = false);  // a regex of ECMA 262
Json one_of_schema(const std::vector<std::string>& names);
Json or_env(Json schema);

Type<Duration> duration(Duration least, Duration most);
Type<std::uint64_t> size(std::uint64_t least, std::uint64_t most);
Type<std::uint64_t> big_number(std::uint64_t least, std::uint64_t most);
Type<std::uint32_t> number(std::uint32_t least, std::uint32_t most);
Type<std::uint16_t> small_number(std::uint16_t least, std::uint16_t most);
Type<std::uint32_t> per_second(std::uint32_t least, std::uint32_t most);  // "900/s" or 900
Type<double> factor(double least, double most);                           // "1.5"; `off` is 0
Type<std::uint16_t> code_of(std::vector<std::uint16_t> codes);            // one of a list of status codes
Type<bool> boolean();

Type<std::string> text(Text reader = Text::kPlain);  // not empty, except for kBody
Type<std::string> name();                            // of a thing in this file
Type<std::string> token(const std::string& what);    // RFC 9110 token
Type<std::string> file_path();                       // made absolute
Type<std::string> url_path();                        // starts with /
Type<std::string> network();                         // normalised CIDR
Type<std::string> known_name(const std::string& what, std::vector<std::string> names);

// A text that passes `check`, which returns the error and the hint, both empty if it is good.
using TextCheck = std::function<std::pair<std::string, std::string>(const std::string&)>;
Type<std::string> checked(Type<std::string> type, TextCheck check);

Type<SameSite> same_site();
inline constexpr const char* kSameSiteMeaning =
    "The cookie's SameSite attribute. Applications that are embedded in pages of other sites need `none`, which also "
    "sets Secure.";

Type<Bind> bind_address();  // of this machine; the only name that is allowed is localhost
// The scalar as an address, a unix socket's path made absolute.
bool take_address(Decoder& d, const Node& node, const std::string& text, Address& out);
Type<Pattern> method();

bool is_template(const std::string& text);  // contains a variable, so its value depends on the request

// Reports an `error` with `hint` and fails, or stores the value.
template <class T>
bool take(Decoder& d, const Node& node, Parsed<T> parsed, T& out) {
  if (!parsed.value) {
    d.error(node.at, std::move(parsed.error), std::move(parsed.hint));
    return false;
  }
  out = std::move(*parsed.value);
  return true;
}

std::string joined(const std::vector<std::string>& words);  // with commas between them
// Reports that the text is none of `allowed`. Values that this version does not build are not offered.
void report_not_allowed(Decoder& d, Place at, const std::string& text, const std::vector<std::string>& allowed);

// Returns a member of a T and sets the kind of the T. For fields of an object with one key.
template <auto K, auto Member>
inline constexpr auto as = [](auto& out) -> auto& {
  out.kind = K;
  return out.*Member;
};

// One of a list of words.
template <class E>
Type<E> choice(std::vector<std::pair<std::string, E>> options) {
  std::vector<std::string> names;
  names.reserve(options.size());
  for (const auto& option : options) names.push_back(option.first);
  TypeInfo info{"choice", joined(names), one_of_schema(names)};
  return {std::move(info),
          [options, names](Decoder& d, const Node& node, E& out) {
            const auto text = d.text(node);
            if (!text) return false;
            for (const auto& [name, value] : options) {
              if (name == *text) {
                out = value;
                return true;
              }
            }
            report_not_allowed(d, node.at, *text, names);
            return false;
          },
          [options](const E& value) -> Json {
            for (const auto& [name, known] : options) {
              if (known == value) return name;
            }
            return nullptr;
          }};
}

}  // namespace albatross::config
