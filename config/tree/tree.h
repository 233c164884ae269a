// A YAML or JSON text as a tree of nodes, each with its place: what the decoder reads, whatever the format was.
//
// Scalars keep their text as written: nothing is a number or a boolean before the field table asks for one, so `010`,
// `no` and `1.10` mean what they say. Nodes own their children; aliases are expanded by copying. Any thread.
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

// Bounds on what a file may make of itself; aliases count as what they expand to.
inline constexpr std::size_t kMaxDepth = 64;
inline constexpr std::size_t kMaxNodes = 1'000'000;
inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;

// The tree, or nothing if the text is not well-formed; errors are in `out`.
std::optional<Node> parse(const Source& source, Diagnostics& out);

// What ends a parse at once. Never leaves this room.
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
  void key(Place at, std::string text, bool refused = false);  // refused: its value is read and dropped
  void add(Node leaf);                                         // a scalar, or a finished subtree
  void begin(Node::Kind kind, Place at);
  Node end();  // the node that ended, a copy already in its parent; empty if nobody asked for a copy

  void keep_next_copy(bool keep) { keep_ = keep; }
  void charge(const Node& subtree, Place at);                        // counts a copy about to be made, for `at`
  void error(Place at, std::string message, std::string hint = {});  // one that does not end the parse
  bool started() const { return started_; }
  Node take() { return std::move(root_); }

 private:
  struct Frame {
    Node node;
    std::string key;
    Place key_at{};
    bool has_key = false;
    bool dropped = false;  // the value under `key` goes nowhere
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
