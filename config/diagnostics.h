// Errors and warnings about a configuration: each names its place, the key's path and the way out.
//
// A Diagnostics collects all of one run (nothing stops at the first), knows the source text, and prints
//   albatross.yaml:12:5: error: listeners[0].protocl: unknown key, did you mean "protocol"?
//      12 |     protocl: http
//         |     ^
// The first 1000 are kept, the rest only counted. One thread at a time.
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
  std::string hint;     // the nearest known name or the way out; may be empty
};

class Diagnostics {
 public:
  Diagnostics(std::string file, std::string source);

  void error(Place at, std::string path, std::string message, std::string hint = {});
  void warning(Place at, std::string path, std::string message, std::string hint = {});

  bool ok() const { return errors_ == 0; }
  std::size_t errors() const { return errors_; }
  const std::vector<Diagnostic>& all() const { return all_; }
  const std::string& file() const { return file_; }

  // Sorted by place, in the form above.
  void print(std::ostream& out) const;
  // One JSON array of {severity, file, line, column, path, message, hint}.
  std::string to_json() const;

 private:
  std::string file_;
  std::string source_;
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
};

// The candidate nearest to `word` by edit distance, if it is near enough to be meant; else empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// The `count` nearest ones, however far, the nearest first.
std::vector<std::string> nearest(std::string_view word, std::vector<std::string> candidates, std::size_t count);

}  // namespace albatross::config
