#include "config/load.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/siphash.h"
#include "config/check/check.h"
#include "config/check/lint.h"
#include "config/include.h"
#include "config/table/table.h"
#include "config/tree/tree.h"

namespace albatross::config {
namespace {

constexpr std::size_t kLargestFile = std::size_t{16} << 20;

// Sets defaults that depend on other keys, copies rule sets, and sorts rules by priority.
void finish(Config& config) {
  for (ServerGroup& group : config.server_groups) {
    using P = ServerGroup::Protocol;
    const bool tls = *group.protocol == P::kHttps || *group.protocol == P::kH2 || *group.protocol == P::kGrpcs;
    if (group.health_check && !group.health_check->protocol.written()) {
      const bool grpc = *group.protocol == P::kGrpc || *group.protocol == P::kGrpcs;
      group.health_check->protocol = grpc  ? HealthCheck::Protocol::kGrpc
                                     : tls ? HealthCheck::Protocol::kHttps
                                           : HealthCheck::Protocol::kHttp;
    }
  }
  for (Listener& listener : config.listeners) {
    for (const RuleSet& set : config.rule_sets) {
      if (listener.rule_set.written() && *set.name == *listener.rule_set) listener.rules = set.rules;
    }
    std::stable_sort(listener.rules.begin(), listener.rules.end(),
                     [](const Rule& a, const Rule& b) { return *a.priority < *b.priority; });
  }
}

// Appends the content of a node, without its place.
void print(const Node& node, std::string& out) {
  switch (node.kind) {
    case Node::Kind::kNull: out += '~'; break;
    case Node::Kind::kScalar:
      out += (node.quoted ? '"' : '\'') + std::to_string(node.text.size()) + ':' + node.text;
      break;
    case Node::Kind::kSequence:
      out += '[';
      for (const Node& item : node.items) print(item, out);
      out += ']';
      break;
    case Node::Kind::kMapping:
      out += '{';
      for (const Node::Entry& e : node.entries) {
        out += std::to_string(e.key.size()) + ':' + e.key;
        print(e.value, out);
      }
      out += '}';
      break;
  }
}

std::uint64_t digest(const std::string& text) { return siphash({0x616c6261, 0x74726f73}, text); }

// Sets the digests that tell whether parts of two configurations are the same.
void digest_parts(const Node& tree, const Diagnostics& out, Config& config) {
  const Node* listeners = tree.find("listeners");
  const Node* sets = tree.find("rule_sets");
  for (std::size_t i = 0; listeners != nullptr && i < std::min(config.listeners.size(), listeners->items.size()); ++i) {
    Listener& l = config.listeners[i];
    std::string text = out.file(listeners->items[i].at.file) + "\n";  // its paths are relative to this file
    print(listeners->items[i], text);
    if (l.rule_set.written() && sets != nullptr) {
      if (const Node* set = sets->find(*l.rule_set)) print(*set, text);
    }
    l.digest = digest(text);
  }
  const Node* groups = tree.find("server_groups");
  for (std::size_t i = 0; groups != nullptr && i < std::min(config.server_groups.size(), groups->items.size()); ++i) {
    std::string text = out.file(groups->items[i].at.file) + "\n" + *config.zone + "\n";
    print(groups->items[i], text);
    config.server_groups[i].digest = digest(text);
  }
}

}  // namespace

std::optional<Source> read_source(const std::string& file, std::string& error) {
  Source source{file, {}, Format::kYaml};
  const std::string ending = std::filesystem::path(file).extension().string();
  if (ending == ".json") {
    source.format = Format::kJson;
  } else if (ending != ".yaml" && ending != ".yml") {
    error = file + ": the name must end in .yaml, .yml or .json";
    return std::nullopt;
  }
  std::error_code status;
  if (std::filesystem::is_directory(file, status)) {
    error = file + ": is a directory";
    return std::nullopt;
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    error = file + ": " + std::strerror(errno);
    return std::nullopt;
  }
  source.text.resize(kLargestFile + 1);
  in.read(source.text.data(), static_cast<std::streamsize>(source.text.size()));
  if (in.bad()) {
    error = file + ": cannot be read";
    return std::nullopt;
  }
  if (in.gcount() > static_cast<std::streamsize>(kLargestFile)) {
    error = file + ": larger than 16MiB";
    return std::nullopt;
  }
  source.text.resize(static_cast<std::size_t>(in.gcount()));
  source.text.shrink_to_fit();
  return source;
}

Config load(const Source& source, Diagnostics& out) {
  Config config;
  config.file = source.file;
  try {
    std::optional<Node> tree = parse(source, out);
    if (!tree) return config;
    if (tree->kind == Node::Kind::kNull) {
      out.error(tree->at, {}, "the file is empty", "it needs at least a listener");
      return config;
    }
    Decoder decoder(out);
    if (!merge_includes(*tree, decoder, out, config)) return config;
    config_table().decode(decoder, *tree, config);
    digest_parts(*tree, out, config);
    check(config, out);
    if (out.ok()) lint(config, out);
    finish(config);
  } catch (const std::exception& error) {
    out.error({}, {}, std::string("cannot be loaded: ") + error.what());
  }
  return config;
}

}  // namespace albatross::config
