#include "config/table/decoder.h"

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "config/env.h"
#include "config/table/not_built.h"

namespace albatross::config {
namespace {

const char* kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull: return "nothing";
    case Node::Kind::kScalar: return "text";
    case Node::Kind::kSequence: return "a list";
    case Node::Kind::kMapping: return "a mapping";
  }
  return "";
}

bool has_control(const std::string& text) {
  for (const char c : text) {
    if (is_control(c) && c != '\t') return true;
  }
  return false;
}

}  // namespace

Decoder::Scope Decoder::enter(std::string_view key) {
  return Scope(*this, (path_.empty() ? "" : ".") + std::string(key.substr(0, 64)));
}

Decoder::Scope Decoder::enter(std::size_t index) { return Scope(*this, '[' + std::to_string(index) + ']'); }

Decoder::Scope Decoder::enter(std::string_view object, std::string_view key) {
  return Scope(*this, (path_.empty() ? "" : ".") + std::string(key), object, key);
}

void Decoder::error(Place at, std::string message, std::string hint) {
  out_.error(at, path_, std::move(message), std::move(hint));
}

void Decoder::warning(Place at, std::string message, std::string hint) {
  out_.warning(at, path_, std::move(message), std::move(hint));
}

void Decoder::wrong_kind(const Node& node, std::string_view wanted, std::string hint) {
  const bool missing = node.kind == Node::Kind::kNull;
  error(node.at, missing ? "the value is missing" : "expected " + std::string(wanted) + ", got " + kind_name(node.kind),
        std::move(hint));
}

std::vector<std::string> Decoder::offered(std::vector<std::string> names) const {
  std::erase_if(names, [this](const std::string& name) { return !is_built(object_, key_, name); });
  return names;
}

std::optional<std::string> Decoder::text(const Node& node, Text reader) {
  if (node.kind != Node::Kind::kScalar) {
    wrong_kind(node, "text", node.kind == Node::Kind::kSequence ? "write one value" : "");
    return std::nullopt;
  }
  Expansion expanded = expand_env(node.text, reader == Text::kTemplate);
  if (!expanded.error.empty()) {
    error(node.at, expanded.error, expanded.hint);
    return std::nullopt;
  }
  if (reader != Text::kBody && has_control(expanded.text)) {
    error(node.at, "a control character is not allowed here");
    return std::nullopt;
  }
  return std::move(expanded.text);
}

std::optional<std::string> Decoder::bare(const Node& node, std::string_view wanted) {
  if (node.kind != Node::Kind::kScalar) {
    wrong_kind(node, wanted, node.kind == Node::Kind::kSequence ? "write one value" : "");
    return std::nullopt;
  }
  if (node.quoted && !has_env(node.text)) {
    error(node.at, "expected " + std::string(wanted) + ", got quoted text", "write it without quotes");
    return std::nullopt;
  }
  return text(node);
}

std::string Decoder::absolute(std::string_view path, Place at) const {
  std::error_code error;
  const std::string& file = out_.file(at.file);
  const std::filesystem::path absolute = std::filesystem::absolute(file.empty() ? "." : file, error);
  const std::filesystem::path folder = error ? std::filesystem::path("/") : absolute.parent_path();
  return (folder / std::filesystem::path(path)).lexically_normal().string();
}

}  // namespace albatross::config
