#include "config/diagnostics.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace albatross::config {
namespace {

constexpr std::size_t kMostKept = 1000;
constexpr std::size_t kLineShown = 160;   // bytes of a source line; minified JSON is one long line
constexpr std::size_t kLongestWord = 64;  // a longer word is not taken for a misspelling

// Escapes in the file can produce control characters, which must not reach a terminal.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (!is_control(c)) {
      out += c;
    } else {
      char escape[4] = {'\\', 'x'};
      write_hex(escape + 2, static_cast<unsigned char>(c), 2);
      out.append(escape, sizeof escape);
    }
  }
  return out;
}

std::string_view line_of(std::string_view source, std::uint32_t line) {
  for (std::uint32_t i = 1; i < line; ++i) {
    const std::size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  if (source.ends_with('\r')) source.remove_suffix(1);
  return source;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

// The source line and a caret under `at`, with the line's tabs kept so that they stay aligned.
void print_source(std::ostream& out, std::string_view source, Place at) {
  std::string_view line = line_of(source, at.line);
  if (line.empty()) return;
  std::size_t column = std::min<std::size_t>(at.column - 1, line.size());
  if (line.size() > kLineShown) {
    std::size_t start = column < kLineShown / 2 ? 0 : column - kLineShown / 2;
    while (start > 0 && continues(line[start])) --start;
    line = line.substr(start, kLineShown);
    column -= start;
    while (line.size() > column && static_cast<signed char>(line.back()) < 0)
      line.remove_suffix(1);  // no half character
  }
  std::string caret;
  for (const char c : line.substr(0, column)) {
    if (!continues(c)) caret += c == '\t' ? '\t' : ' ';
  }
  std::string number = std::to_string(at.line);
  if (number.size() < 5) number.insert(0, 5 - number.size(), ' ');
  std::string shown(line);
  for (char& c : shown) {
    if (is_control(c) && c != '\t') c = '?';
  }
  out << number << " | " << shown << '\n' << std::string(number.size(), ' ') << " | " << caret << "^\n";
}

const char* name(Diagnostic::Severity severity) {
  return severity == Diagnostic::Severity::kError ? "error" : "warning";
}

std::vector<const Diagnostic*> by_place(const std::vector<Diagnostic>& all) {
  std::vector<const Diagnostic*> sorted;
  sorted.reserve(all.size());
  for (const Diagnostic& one : all) sorted.push_back(&one);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic* a, const Diagnostic* b) {
    return std::tuple(a->at.file, a->at.line, a->at.column) < std::tuple(b->at.file, b->at.line, b->at.column);
  });
  return sorted;
}

// Spelling without case and separators, so that healthCheck and health-check are near health_check.
std::string folded(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '_' || c == '-') continue;
    out += ascii_lower(c);
  }
  return out;
}

// Edit distance where swapping two neighbours is one edit.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

Diagnostics::Diagnostics(std::string file, std::string source) { add_file(std::move(file), std::move(source)); }

std::uint32_t Diagnostics::add_file(std::string file, std::string source) {
  if (source.starts_with("\xef\xbb\xbf")) source.erase(0, 3);
  files_.push_back({std::move(file), std::move(source)});
  return static_cast<std::uint32_t>(files_.size() - 1);
}

std::string Diagnostics::place_text(Place at) const {
  if (files_.size() == 1) return "line " + std::to_string(at.line);
  return file(at.file) + ":" + std::to_string(at.line);
}

void Diagnostics::add(Diagnostic one) {
  const bool error = one.severity == Diagnostic::Severity::kError;
  if (error) ++errors_;
  if (error ? errors_ > kMostKept : all_.size() > 2 * kMostKept) return;
  if (reading_ != 0) one.at.file = reading_;
  all_.push_back(std::move(one));
}

void Diagnostics::error(Place at, std::string path, std::string message, std::string hint) {
  add({Diagnostic::Severity::kError, at, std::move(path), std::move(message), std::move(hint)});
}

void Diagnostics::warning(Place at, std::string path, std::string message, std::string hint) {
  add({Diagnostic::Severity::kWarning, at, std::move(path), std::move(message), std::move(hint)});
}

void Diagnostics::print(std::ostream& out) const {
  for (const Diagnostic* one : by_place(all_)) {
    out << file(one->at.file);
    if (one->at.written()) out << ':' << one->at.line << ':' << one->at.column;
    out << ": " << name(one->severity) << ": ";
    if (!one->path.empty()) out << printable(one->path) << ": ";
    out << (one->id.empty() ? "" : one->id + ": ") << printable(one->message);
    if (!one->hint.empty()) out << ", " << printable(one->hint);
    out << '\n';
    if (one->at.written()) print_source(out, files_[one->at.file].source, one->at);
  }
  if (errors_ > kMostKept) out << file() << ": error: " << errors_ - kMostKept << " more errors are not shown\n";
}

std::string Diagnostics::to_json() const {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Diagnostic* one : by_place(all_)) {
    nlohmann::ordered_json entry{{"severity", name(one->severity)},
                                 {"file", file(one->at.file)},
                                 {"line", one->at.line},
                                 {"column", one->at.column},
                                 {"path", one->path},
                                 {"message", one->message},
                                 {"hint", one->hint}};
    if (!one->id.empty()) entry["id"] = one->id;
    list.push_back(std::move(entry));
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string element_path(const std::string& list, std::size_t index) {
  return list + '[' + std::to_string(index) + ']';
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string folded_word = folded(word);
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, folded_word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::string other = folded(candidate);
    const std::size_t gap = std::max(other.size(), folded_word.size()) - std::min(other.size(), folded_word.size());
    if (gap >= best_distance) continue;
    const std::size_t edits = distance(folded_word, other);
    if (edits >= best_distance || edits >= std::max(other.size(), folded_word.size())) continue;
    best = &candidate;
    best_distance = edits;
  }
  return best == nullptr ? std::string() : *best;
}

std::vector<std::string> nearest(std::string_view word, std::vector<std::string> candidates, std::size_t count) {
  const std::string folded_word = folded(word.substr(0, kLongestWord));
  std::vector<std::pair<std::size_t, std::string>> by_distance;
  by_distance.reserve(candidates.size());
  for (std::string& candidate : candidates) {
    const std::size_t edits = distance(folded_word, folded(candidate));
    by_distance.emplace_back(edits, std::move(candidate));
  }
  std::stable_sort(by_distance.begin(), by_distance.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  by_distance.resize(std::min(count, by_distance.size()));
  std::vector<std::string> out;
  out.reserve(by_distance.size());
  for (auto& [edits, candidate] : by_distance) out.push_back(std::move(candidate));
  return out;
}

}  // namespace albatross::config
