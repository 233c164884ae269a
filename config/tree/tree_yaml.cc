// YAML by yaml-cpp's event interface, without what makes YAML surprising: no tags, no merge keys, one document.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/node/node.h>  // parser.h declares it; nothing here uses it
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/text.h"
#include "config/tree/tree.h"

namespace albatross::config {
namespace {

Place place(const YAML::Mark& mark) {
  if (mark.is_null()) return {1, 1};
  return {static_cast<std::uint32_t>(mark.line) + 1, static_cast<std::uint32_t>(mark.column) + 1};
}

class Events final : public YAML::EventHandler {
 public:
  explicit Events(TreeBuilder& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw ParseError{place(mark), "more than one document", "keep one, without --- between"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (refuse_as_key(place(mark))) return;
    Node node;
    node.at = place(mark);
    leaf(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(tag, place(mark));
    const bool quoted = tag == "!";
    if (tree_.wants_key()) {
      if (anchor != 0) throw ParseError{place(mark), "an anchor on a key is not supported", "put it on the value"};
      const bool merge = value == "<<" && !quoted;
      tree_.key(place(mark), value, merge);
      if (merge) tree_.error(place(mark), "merge keys are not supported", "write the keys out");
      return;
    }
    if (quoted) last_quoted_ = mark;
    Node node;
    node.kind = Node::Kind::kScalar;
    node.quoted = quoted;
    node.at = place(mark);
    node.text = value;
    leaf(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (refuse_as_key(place(mark))) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw ParseError{place(mark), "the alias stands inside its own anchor", {}};
    tree_.charge(found->second, place(mark));
    tree_.add(found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(Node::Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(Node::Kind::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

  const YAML::Mark& last_quoted() const { return last_quoted_; }

 private:
  void check_tag(const std::string& tag, Place at) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    tree_.error(at, "tags are not supported", "remove " + tag);
  }

  bool refuse_as_key(Place at) {
    if (tree_.wants_key()) throw ParseError{at, "a key must be plain text", {}};
    return false;
  }

  void leaf(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) {
      tree_.charge(node, node.at);
      anchors_[anchor] = node;
    }
    tree_.add(std::move(node));
  }

  void begin(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(tag, place(mark));
    refuse_as_key(place(mark));
    tree_.keep_next_copy(anchor != 0);
    tree_.begin(kind, place(mark));
    open_.push_back(anchor);
  }

  void end() {
    Node copy = tree_.end();
    if (open_.back() != 0) anchors_[open_.back()] = std::move(copy);
    open_.pop_back();
  }

  TreeBuilder& tree_;
  std::unordered_map<YAML::anchor_t, Node> anchors_;
  std::vector<YAML::anchor_t> open_;  // the anchor of each open collection, 0 if it has none
  YAML::Mark last_quoted_;
  int documents_ = 0;
};

// yaml-cpp accepts a quote that is still open at the end of the file; it can only be the last one.
void check_closed(std::string_view text, const YAML::Mark& mark) {
  text.remove_prefix(std::min(text.size(), static_cast<std::size_t>(mark.pos)));
  while (text.starts_with('&') || text.starts_with('!')) {
    text.remove_prefix(std::min(text.size(), text.find_first_of(" \t\r\n")));
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
  }
  const char quote = text.empty() ? '\0' : text[0];
  if (quote != '"' && quote != '\'') return;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool escape = quote == '"' ? text[i] == '\\' : text.substr(i).starts_with("''");
    if (escape) {
      ++i;
    } else if (text[i] == quote) {
      return;
    }
  }
  throw ParseError{place(mark), "not valid YAML: the quote is not closed", {}};
}

// The tab among the spaces that a line begins with, if there is one. yaml-cpp's own message for it depends on what
// follows.
Place indenting_tab(std::string_view text, Place at) {
  for (std::uint32_t line = 1; line < at.line; ++line) {
    text.remove_prefix(std::min(text.size(), text.find('\n')));
    text.remove_prefix(std::min<std::size_t>(text.size(), 1));
  }
  const std::size_t tab = text.substr(0, text.find_first_not_of(" \t")).find('\t');
  return tab == std::string_view::npos ? Place{} : Place{at.line, static_cast<std::uint32_t>(tab) + 1};
}

// yaml-cpp's messages begin with a capital.
std::string lower_first(std::string text) {
  if (!text.empty()) text[0] = ascii_lower(text[0]);
  return text;
}

}  // namespace

void read_yaml(std::string_view text, TreeBuilder& tree) {
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Events events(tree);
    while (parser.HandleNextDocument(events)) {
    }
    check_closed(text, events.last_quoted());
  } catch (const YAML::Exception& error) {
    if (const Place tab = indenting_tab(text, place(error.mark)); tab.written())
      throw ParseError{tab, "not valid YAML: a tab stands in the indentation", "indent with spaces, not tabs"};
    const bool star = error.msg.find("alias") != error.msg.npos || error.msg.find("anchor") != error.msg.npos;
    throw ParseError{place(error.mark), "not valid YAML: " + lower_first(error.msg),
                     star ? "put a text that starts with * or & in quotes" : ""};
  }
  if (!tree.started()) throw ParseError{{1, 1}, "the file is empty", "it needs at least a listener"};
}

}  // namespace albatross::config
