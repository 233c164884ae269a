#include "config/include.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "config/load.h"

namespace albatross::config {
namespace {

constexpr std::size_t kMostFiles = 1000;

bool has_wildcard(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

// The files that a pattern names, sorted.
std::vector<std::string> files_of(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return files;
}

class Includer {
 public:
  Includer(Decoder& decoder, Diagnostics& out, Config& config) : decoder_(decoder), out_(out), config_(config) {}

  void include(Node& root, const Node& item) {
    const auto text = decoder_.text(item);
    if (!text) return;
    const std::filesystem::path pattern = decoder_.absolute(*text, item.at);
    if (has_wildcard(pattern.parent_path())) {
      return decoder_.error(item.at, "a folder with a wildcard is not searched", "only the file's name may have one");
    }
    config_.includes.push_back(pattern);
    std::vector<std::string> files = files_of(pattern);
    if (files.empty() && !has_wildcard(pattern)) files.push_back(pattern);  // reading it reports the error
    for (const std::string& file : files) {
      if (config_.included.size() == kMostFiles) {
        return decoder_.error(item.at, "more than 1000 files are included", "put more into each file");
      }
      read(root, file, item.at);
    }
  }

  bool whole() const { return whole_; }

 private:
  void read(Node& root, const std::string& file, Place at) {
    if (std::find(config_.included.begin(), config_.included.end(), file) != config_.included.end()) {
      return decoder_.error(at, file + " is included twice");
    }
    config_.included.push_back(file);
    std::string error;
    std::optional<Source> source = read_source(file, error);
    if (!source) {
      whole_ = false;
      return decoder_.error(at, error);
    }
    const std::uint32_t index = out_.add_file(file, source->text);
    std::optional<Node> tree;
    {
      const auto reading = out_.reading(index);
      tree = parse(*source, out_);
    }
    if (!tree) {
      whole_ = false;
      return;
    }
    locate(*tree, index);
    if (tree->kind != Node::Kind::kMapping) {
      return decoder_.error(tree->at, "an included file is a mapping",
                            "write keys such as listeners: and server_groups:");
    }
    if (tree->find("include") != nullptr) {
      return decoder_.error(tree->at, "an included file includes another", "list all files in the main file");
    }
    merge(root, *tree, "");
  }

  // Sets the file of each place.
  static void locate(Node& node, std::uint32_t file) {
    node.at.file = file;
    for (Node& item : node.items) locate(item, file);
    for (Node::Entry& entry : node.entries) {
      entry.at.file = file;
      locate(entry.value, file);
    }
  }

  void merge(Node& into, Node& from, const std::string& path) {
    for (Node::Entry& entry : from.entries) {
      const std::string at = path + (path.empty() ? "" : ".") + entry.key;
      const auto known = std::find_if(into.entries.begin(), into.entries.end(),
                                      [&entry](const Node::Entry& one) { return one.key == entry.key; });
      if (known == into.entries.end()) {
        into.entries.push_back(std::move(entry));
      } else if (known->value.kind == Node::Kind::kSequence && entry.value.kind == Node::Kind::kSequence) {
        std::move(entry.value.items.begin(), entry.value.items.end(), std::back_inserter(known->value.items));
      } else if (known->value.kind == Node::Kind::kMapping && entry.value.kind == Node::Kind::kMapping) {
        merge(known->value, entry.value, at);
      } else {
        out_.error(entry.at, at, "it is set twice", "first in " + out_.place_text(known->at));
      }
    }
  }

  bool whole_ = true;
  Decoder& decoder_;
  Diagnostics& out_;
  Config& config_;
};

}  // namespace

bool merge_includes(Node& root, Decoder& decoder, Diagnostics& out, Config& config) {
  const Node* list = root.find("include");
  if (list == nullptr) return true;
  const auto scope = decoder.enter("include");
  const std::vector<Node> items = list->kind == Node::Kind::kSequence ? list->items : std::vector<Node>{*list};
  Includer includer(decoder, out, config);
  for (const Node& item : items) includer.include(root, item);
  return includer.whole();
}

}  // namespace albatross::config
