// What decoding one file needs at hand: the path of keys being read, where errors go, and scalars with their variables
// expanded. Lives for one load, on one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostics.h"
#include "config/tree.h"

namespace albatross::config {

// What reads a scalar's text next: it decides what `$${` becomes and which bytes may stand in it.
enum class Text : std::uint8_t {
  kPlain,
  kTemplate,  // `$${` is left for the template compiler
  kBody,      // plain, and may hold line ends
};

class Decoder {
 public:
  // Relative paths in the file are relative to the folder of `file`.
  Decoder(Diagnostics& out, const std::string& file);

  // Extends the path until the end of the scope.
  class [[nodiscard]] Scope {
   public:
    Scope(std::string& path, const std::string& more) : path_(path), length_(path.size()) { path_ += more; }
    ~Scope() { path_.resize(length_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    std::string& path_;
    std::size_t length_;
  };
  Scope enter(std::string_view key);
  Scope enter(std::size_t index);

  void error(Place at, std::string message, std::string hint = {});
  void warning(Place at, std::string message, std::string hint = {});
  // The node is of another kind than the key wants: `wanted` is like "a list".
  void wrong_kind(const Node& node, std::string_view wanted);

  // The scalar's text, expanded. Reports and gives nothing for another kind of node or a variable that is not set.
  std::optional<std::string> text(const Node& node, Text reader = Text::kPlain);
  // The same for what must not be quoted: numbers and booleans. A variable may stand in quotes, JSON has no other way.
  std::optional<std::string> bare(const Node& node, std::string_view wanted);

  std::string absolute(std::string_view path) const;

 private:
  Diagnostics& out_;
  std::string folder_;
  std::string path_;
};

}  // namespace albatross::config
