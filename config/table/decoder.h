// What decoding one file needs at hand: the path of keys being read, where errors go, and scalars with their variables
// expanded. Lives for one load, on one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/diagnostics.h"
#include "config/tree/tree.h"

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
    Scope(Decoder& d, const std::string& more) : Scope(d, more, d.object_, d.key_) {}
    Scope(Decoder& d, const std::string& more, std::string_view object, std::string_view key)
        : d_(d), length_(d.path_.size()), object_(std::exchange(d.object_, object)), key_(std::exchange(d.key_, key)) {
      d_.path_ += more;
    }
    ~Scope() {
      d_.path_.resize(length_);
      d_.object_ = object_;
      d_.key_ = key_;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Decoder& d_;
    std::size_t length_;
    std::string_view object_, key_;  // of the scope around
  };
  Scope enter(std::string_view key);
  Scope enter(std::size_t index);
  // The same for a key of the table; both texts outlive the decoder.
  Scope enter(std::string_view object, std::string_view key);

  void error(Place at, std::string message, std::string hint = {});
  void warning(Place at, std::string message, std::string hint = {});
  // The node is of another kind than the key wants: `wanted` is like "a list".
  void wrong_kind(const Node& node, std::string_view wanted, std::string hint = {});
  // The values among `names` that this version builds for the key being read.
  std::vector<std::string> offered(std::vector<std::string> names) const;

  // The scalar's text, expanded. Reports and gives nothing for another kind of node or a variable that is not set.
  std::optional<std::string> text(const Node& node, Text reader = Text::kPlain);
  // The same for what must not be quoted: numbers and booleans. A variable may stand in quotes, JSON has no other way.
  std::optional<std::string> bare(const Node& node, std::string_view wanted);

  std::string absolute(std::string_view path) const;

 private:
  Diagnostics& out_;
  std::string folder_;
  std::string path_;
  std::string_view object_, key_;  // of the table, the innermost
};

}  // namespace albatross::config
