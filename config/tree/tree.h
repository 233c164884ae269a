// A YAML or JSON text as a tree of nodes with their places: what the decoder reads, whichever the format was.
//
// Scalars keep their text as it is written. Nothing is a number or a boolean before the field table asks for one, so
// `010`, `no` and `1.10` are plain text. Nodes own their children; aliases are expanded by copying. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/config.h"
#include "config/diagnostics.h"
#include "config/load.h"

namespace albatross::config {

struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };
  struct Entry;

  Kind kind = Kind::kNull;
  bool quoted = false;  // a scalar in quotes or a block scalar: never a number or a boolean
  Place at{};
  std::string text;            // kScalar
  std::vector<Node> items;     // kSequence
  std::vector<Entry> entries;  // kMapping, in the order written, keys unique

  const Node* find(std::string_view key) const;
};

struct Node::Entry {
  std::string key;
  Place at{};
  Node value;
};

// Bounds on the tree; an alias counts as what it expands to.
inline constexpr std::size_t kMaxDepth = 64;
inline constexpr std::size_t kMaxNodes = 1'000'000;
inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;

// The tree, or nothing if the text is not well-formed; errors are in `out`.
std::optional<Node> parse(const Source& source, Diagnostics& out);

// Thrown to end a parse at once; caught by parse().
struct ParseError {
  Place at;
  std::string message;
  std::string hint;
};

// Assembles a tree from the events of either format and enforces the bounds; throws ParseError beyond them.
class TreeBuilder {
 public:
  explicit TreeBuilder(Diagnostics& out) : out_(out) {}

  bool wants_key() const { return !stack_.empty() && stack_.back().wants_key(); }
  // Adds a key to the mapping that is open. `refused`: its value is read and dropped.
  void key(Place at, std::string text, bool refused = false);
  // Adds a scalar or a finished subtree.
  void add(Node leaf);
  // Opens a sequence or a mapping, which end() closes and puts into its parent. end() returns a copy of it if
  // keep_next_copy() was set before begin(), else an empty node.
  void begin(Node::Kind kind, Place at);
  Node end();

  void keep_next_copy(bool keep) { keep_ = keep; }
  // Counts a copy of the subtree, about to be made for `at`, against the bounds.
  void charge(const Node& subtree, Place at);
  // Reports an error that does not end the parse.
  void error(Place at, std::string message, std::string hint = {});
  bool started() const { return started_; }
  Node take() { return std::move(root_); }

 private:
  struct Frame {
    Node node;
    std::string key;
    Place key_at{};
    bool has_key = false;
    bool dropped = false;  // the value of `key` is dropped
    bool keep = false;
    std::unordered_set<std::string> seen;
    bool wants_key() const { return node.kind == Node::Kind::kMapping && !has_key; }
  };

  void put(Node node);
  void count(std::size_t bytes, Place at);
  void charge(const Node& subtree, Place at, std::size_t depth);
  std::string path() const;

  Diagnostics& out_;
  std::vector<Frame> stack_;
  Node root_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  bool started_ = false;
  bool keep_ = false;
};

// The two readers; throw ParseError.
void read_yaml(std::string_view text, TreeBuilder& tree);
void read_json(std::string_view text, TreeBuilder& tree);

}  // namespace albatross::config
