#include "config/tree/tree.h"

#include <utility>

#include "base/text.h"

namespace albatross::config {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";

// Both libraries guess at encodings and let control characters pass, so the bytes are checked before they see them.
void check_bytes(std::string_view text) {
  Place at{1, 1};
  bool blank = true;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) throw ParseError{at, "not valid UTF-8", "save the file as UTF-8"};
    const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (static_cast<unsigned char>(c) < 0x20 && !space) throw ParseError{at, "a control character is not allowed", {}};
    if (!space) blank = false;
    i += length;
    at.column += static_cast<std::uint32_t>(length);
    if (c == '\n') at = {at.line + 1, 1};
  }
  if (blank) throw ParseError{{1, 1}, "the file is empty", "it needs at least a listener"};
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

void TreeBuilder::key(Place at, std::string text, bool refused) {
  Frame& frame = stack_.back();
  count(text.size(), at);
  frame.key = std::move(text);
  frame.key_at = at;
  frame.has_key = true;
  frame.dropped = refused;
  if (!refused && !frame.seen.insert(frame.key).second) {
    frame.dropped = true;
    error(at, "the key is written twice", "keep one of them");
  }
}

void TreeBuilder::add(Node leaf) {
  started_ = true;
  if (leaf.kind == Node::Kind::kScalar || leaf.kind == Node::Kind::kNull) count(leaf.text.size(), leaf.at);
  put(std::move(leaf));
}

void TreeBuilder::begin(Node::Kind kind, Place at) {
  started_ = true;
  count(0, at);
  if (stack_.size() >= kMaxDepth) {
    throw ParseError{at, "nested deeper than " + std::to_string(kMaxDepth) + " levels", {}};
  }
  Frame frame;
  frame.node.kind = kind;
  frame.node.at = at;
  frame.keep = std::exchange(keep_, false);
  stack_.push_back(std::move(frame));
}

Node TreeBuilder::end() {
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  Node copy;
  if (frame.keep) {
    charge(frame.node, frame.node.at);
    copy = frame.node;
  }
  put(std::move(frame.node));
  return copy;
}

void TreeBuilder::put(Node node) {
  if (stack_.empty()) {
    root_ = std::move(node);
    return;
  }
  Frame& parent = stack_.back();
  if (parent.node.kind == Node::Kind::kSequence) {
    parent.node.items.push_back(std::move(node));
    return;
  }
  parent.has_key = false;
  if (node.kind == Node::Kind::kNull) node.at = parent.key_at;  // yaml-cpp gives the place of what follows
  if (!parent.dropped) parent.node.entries.push_back({std::move(parent.key), parent.key_at, std::move(node)});
}

void TreeBuilder::charge(const Node& subtree, Place at) { charge(subtree, at, stack_.size()); }

void TreeBuilder::charge(const Node& subtree, Place at, std::size_t depth) {
  if (depth > kMaxDepth) {
    throw ParseError{at, "nested deeper than " + std::to_string(kMaxDepth) + " levels by its aliases", {}};
  }
  count(subtree.text.size(), at);
  for (const Node& item : subtree.items) charge(item, at, depth + 1);
  for (const Node::Entry& entry : subtree.entries) {
    count(entry.key.size(), at);
    charge(entry.value, at, depth + 1);
  }
}

void TreeBuilder::count(std::size_t bytes, Place at) {
  bytes_ += bytes;
  if (++nodes_ > kMaxNodes || bytes_ > kMaxTextBytes) {
    throw ParseError{at, "the file is too large, its aliases expanded",
                     "at most " + std::to_string(kMaxNodes) + " nodes and 64MiB of text"};
  }
}

std::string TreeBuilder::path() const {
  std::string path;
  for (const Frame& frame : stack_) {
    if (frame.node.kind == Node::Kind::kSequence) {
      path += '[' + std::to_string(frame.node.items.size()) + ']';
    } else if (frame.has_key) {
      path += (path.empty() ? "" : ".") + frame.key;
    }
  }
  return path;
}

void TreeBuilder::error(Place at, std::string message, std::string hint) {
  out_.error(at, path(), std::move(message), std::move(hint));
}

std::optional<Node> parse(const Source& source, Diagnostics& out) {
  std::string_view text = source.text;
  if (text.starts_with(kBom)) text.remove_prefix(kBom.size());
  TreeBuilder tree(out);
  try {
    check_bytes(text);
    if (source.format == Format::kYaml) {
      read_yaml(text, tree);
    } else {
      read_json(text, tree);
    }
  } catch (const ParseError& error) {
    out.error(error.at, {}, error.message, error.hint);
    return std::nullopt;
  }
  return tree.take();
}

}  // namespace albatross::config
