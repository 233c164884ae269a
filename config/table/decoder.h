// The state of decoding one file: the path of the key that is being read, and where errors go. It also gives the texts
// of scalars with their variables expanded. Lives for one load, on one thread.
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

// How the text of a scalar is used. This decides what `$${` becomes and which bytes are allowed.
enum class Text : std::uint8_t {
  kPlain,
  kTemplate,  // `$${` is kept for the template compiler
  kBody,      // plain, and may have line ends
};

class Decoder {
 public:
  // Paths are relative to the folder of the file that they are in, as `out` knows it.
  explicit Decoder(Diagnostics& out) : out_(out) {}

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
  // The same for a key of the table. Both texts outlive the decoder.
  Scope enter(std::string_view object, std::string_view key);

  void error(Place at, std::string message, std::string hint = {});
  void warning(Place at, std::string message, std::string hint = {});
  // Reports that the node is of another kind than the key wants; `wanted` is like "a list".
  void wrong_kind(const Node& node, std::string_view wanted, std::string hint = {});
  // Of `names`, the values that this version builds for the key being read.
  std::vector<std::string> offered(std::vector<std::string> names) const;

  // The scalar's text, expanded. Reports an error and returns nothing for another kind of node or a variable that is
  // not set.
  std::optional<std::string> text(const Node& node, Text reader = Text::kPlain);
  // The same for numbers and booleans, which must not be quoted. A variable may be quoted, since JSON has no other way.
  std::optional<std::string> bare(const Node& node, std::string_view wanted);

  // Makes `path`, which is written at that place, absolute.
  std::string absolute(std::string_view path, Place at) const;

 private:
  Diagnostics& out_;
  std::string path_;
  std::string_view object_, key_;  // the innermost ones of the table
};

}  // namespace albatross::config
