// Errors and warnings about a configuration: each has its place, the path of the key, and what to do about it.
//
// A Diagnostics collects those of one run, holds the source text, and prints
//   albatross.yaml:12:5: error: listeners[0].protocl: unknown key, did you mean "protocol"?
//      12 |     protocl: http
//         |     ^
// It keeps the first 1000 errors and counts the others. One thread at a time.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace albatross::config {

struct Diagnostic {
  enum class Severity { kError, kWarning };
  Severity severity = Severity::kError;
  Place at;
  std::string path;     // "listeners[0].rules[2].conditions[0].host"; empty: the file itself
  std::string message;  // lower case, no full stop
  std::string hint;     // the nearest known name, or what to do; may be empty
  std::string id = {};  // of the lint (config/lint_ids.h); else empty
};

class Diagnostics {
 public:
  // `file`: its name, for messages. `source`: its text.
  Diagnostics(std::string file, std::string source);

  // Adds a further file that places can refer to. Returns its index.
  std::uint32_t add_file(std::string file, std::string source);
  // Until the end of the scope, all places are taken to be in the file of that index, whatever their own index is.
  class [[nodiscard]] Reading {
   public:
    Reading(Diagnostics& d, std::uint32_t file) : d_(d) { d_.reading_ = file; }
    ~Reading() { d_.reading_ = 0; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    Diagnostics& d_;
  };
  Reading reading(std::uint32_t file) { return Reading(*this, file); }

  void error(Place at, std::string path, std::string message, std::string hint = {});
  void warning(Place at, std::string path, std::string message, std::string hint = {});
  void add(Diagnostic one);

  // Whether there are no errors; warnings do not count.
  bool ok() const { return errors_ == 0; }
  std::size_t errors() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }
  const std::string& file(std::uint32_t index = 0) const { return files_[index].name; }
  // "line 3", or "conf.d/a.yaml:3" if there is more than one file.
  std::string place_text(Place at) const;

  // Sorted by place, in the form above.
  void print(std::ostream& out) const;
  // A JSON array of {severity, file, line, column, path, message, hint} and the id of a lint, sorted by place.
  std::string to_json() const;

 private:
  struct File {
    std::string name;
    std::string source;
  };
  std::vector<File> files_;
  std::uint32_t reading_ = 0;
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
};

// The path of an element of a list: "listeners[2]" for "listeners" and 2.
std::string element_path(const std::string& list, std::size_t index);

// The candidate with the smallest edit distance to `word`, if that is small enough for a misspelling; else empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// The `count` nearest candidates, whatever their distance, the nearest first.
std::vector<std::string> nearest(std::string_view word, std::vector<std::string> candidates, std::size_t count);

}  // namespace albatross::config
