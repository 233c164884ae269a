// JSON by nlohmann's SAX parser. It says what the tokens are but not where, so a scanner walks the text beside it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "config/tree/tree.h"

namespace albatross::config {
namespace {

using Json = nlohmann::json;

// Finds the next token of a text that the parser has already accepted up to there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Moves to the start of the next value or key and returns its place.
  Place next() {
    while (offset_ < text_.size()) {
      const char c = text_[offset_];
      if (c == '/') {
        skip_comment();
      } else if (std::string_view(" \t\r\n,:]}").find(c) != std::string_view::npos) {
        step();
      } else {
        break;
      }
    }
    return at_;
  }

  void skip_string() {
    step();
    while (offset_ < text_.size() && text_[offset_] != '"') {
      if (text_[offset_] == '\\') step();
      step();
    }
    step();
  }

  // Numbers, true, false and null consist of these characters.
  static bool in_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' || c == '-' || c == '.';
  }

  std::string_view skip_word() {
    const std::size_t start = offset_;
    while (offset_ < text_.size() && in_word(text_[offset_])) step();
    return text_.substr(start, offset_ - start);
  }

  void step() {
    if (offset_ >= text_.size()) return;
    ++at_.column;
    if (text_[offset_++] == '\n') at_ = {at_.line + 1, 1};
  }

 private:
  void skip_comment() {
    step();
    const bool block = offset_ < text_.size() && text_[offset_] == '*';
    step();
    while (offset_ < text_.size()) {
      const char c = text_[offset_];
      if (!block && c == '\n') return;
      if (block && text_.substr(offset_).starts_with("*/")) {
        step();
        step();
        return;
      }
      step();
    }
  }

  std::string_view text_;
  std::size_t offset_ = 0;
  Place at_{1, 1};
};

Place place_of(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  // An error at the end of the file is shown after its last token.
  while (offset == text.size() && !text.empty() && std::string_view(" \t\r\n").find(text.back()) != text.npos) {
    text.remove_suffix(1);
    offset = text.size();
  }
  const std::string_view before = text.substr(0, offset);
  const auto lines = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  return {lines + 1, static_cast<std::uint32_t>(offset - start) + 1};
}

class Events final : public nlohmann::json_sax<Json> {
 public:
  Events(std::string_view text, TreeBuilder& tree) : text_(text), scan_(text), tree_(tree) {}

  bool null() override {
    Node node;
    node.at = scan_.next();
    scan_.skip_word();
    tree_.add(std::move(node));
    return true;
  }
  bool boolean(bool) override { return word(); }
  bool number_integer(number_integer_t) override { return word(); }
  bool number_unsigned(number_unsigned_t) override { return word(); }
  bool number_float(number_float_t, const string_t&) override { return word(); }

  bool string(string_t& value) override {
    Node node = scalar(scan_.next());
    scan_.skip_string();
    node.quoted = true;
    node.text = std::move(value);
    tree_.add(std::move(node));
    return true;
  }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return begin(Node::Kind::kMapping); }
  bool start_array(std::size_t) override { return begin(Node::Kind::kSequence); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }

  bool key(string_t& value) override {
    const Place at = scan_.next();
    scan_.skip_string();
    tree_.key(at, std::move(value));
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    if (error.id == 406) throw ParseError{scan_.next(), "the number is too large", {}};
    const std::string why = reason(error.what());
    throw ParseError{error_place(why, position), "not valid JSON: " + why, {}};
  }

 private:
  // `what` is "[json.exception...] parse error at ...: syntax error while parsing ... - REASON; last read: 'TEXT';
  // expected ...". Returns it from the reason on, without TEXT, which may be the whole file.
  static std::string reason(std::string what) {
    const std::size_t dash = what.find(" - ");
    what = dash == std::string::npos ? "syntax error" : what.substr(dash + 3);
    const std::size_t read = what.find("; last read: '");
    if (read == std::string::npos) return what;
    const std::size_t expected = what.rfind("'; expected ");
    return what.substr(0, read) + (expected == std::string::npos ? "" : what.substr(expected + 1));
  }

  // The parser gives the position after the bad token and no reliable length for it.
  Place error_place(const std::string& why, std::size_t behind) {
    const std::size_t last = behind - std::min<std::size_t>(behind, 1);
    if (why.starts_with("unexpected end of input")) return place_of(text_, text_.size());
    if (why.starts_with("unexpected '")) return place_of(text_, last);
    if (why.starts_with("unexpected string") || why.starts_with("invalid literal") ||
        why.find("closing quote") != why.npos) {
      return scan_.next();
    }
    std::size_t start = last;
    while (why.starts_with("unexpected") && start > 0 && start < text_.size() && Scanner::in_word(text_[start - 1]))
      --start;
    return place_of(text_, start);
  }

  static Node scalar(Place at) {
    Node node;
    node.kind = Node::Kind::kScalar;
    node.at = at;
    return node;
  }

  bool word() {
    Node node = scalar(scan_.next());
    node.text = scan_.skip_word();
    tree_.add(std::move(node));
    return true;
  }

  bool begin(Node::Kind kind) {
    const Place at = scan_.next();
    scan_.step();
    tree_.begin(kind, at);
    return true;
  }

  bool end() {
    tree_.end();
    return true;
  }

  std::string_view text_;
  Scanner scan_;
  TreeBuilder& tree_;
};

}  // namespace

void read_json(std::string_view text, TreeBuilder& tree) {
  Events events(text, tree);
  Json::sax_parse(text.begin(), text.end(), &events, nlohmann::detail::input_format_t::json, /*strict=*/true,
                  /*ignore_comments=*/true);
}

}  // namespace albatross::config
