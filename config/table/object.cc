#include <algorithm>

#include "config/env.h"
#include "config/table/not_built.h"
#include "config/table/type.h"

namespace albatross::config {
namespace {

// Returns the known key that was probably meant; empty if none is near.
std::string report_unknown(Decoder& d, const Node::Entry& entry, const std::vector<std::string>& keys) {
  std::string meant = nearest(entry.key, keys);
  std::string hint;
  if (!meant.empty()) {
    hint = "did you mean \"" + meant + "\"?";
  } else {
    for (const std::string& key : keys) hint += (hint.empty() ? "known are " : " ") + key;
  }
  const auto scope = d.enter(entry.key);
  d.error(entry.at, "unknown key", hint);
  return meant;
}

void check_one_key(Decoder& d, const Node& node, const std::string& name, bool& good) {
  if (node.entries.size() == 1) return;
  good = false;
  if (node.entries.empty()) {
    d.error(node.at, "the " + name + " is empty");
  } else {
    d.error(node.entries[1].at, "the " + name + " has more than one key", "start another list item");
  }
}

// Returns whether anything was dropped. Appends the values that remain to `left`.
bool drop_from_enums(Json& schema, const std::string& object, const std::string& key, std::string& left) {
  bool dropped = false;
  if (schema.contains("anyOf")) {
    for (Json& option : schema["anyOf"]) dropped = drop_from_enums(option, object, key, left) || dropped;
  }
  if (!schema.contains("enum")) return dropped;
  Json built = Json::array();
  for (const Json& option : schema["enum"]) {
    const std::string name = option.is_string() ? option.get<std::string>() : option.dump();
    if (!is_built(object, key, name)) continue;
    left += (left.empty() ? "" : ", ") + name;
    built.push_back(option);
  }
  dropped = dropped || built.size() < schema["enum"].size();
  schema["enum"] = std::move(built);
  return dropped;
}

}  // namespace

std::vector<const Node*> match_keys(Decoder& d, const Node& node, const ObjectInfo& object, bool& good) {
  std::vector<const Node*> values(object.fields.size());
  std::vector<std::string> keys, meant;
  for (const FieldInfo& field : object.fields) keys.push_back(field.key);
  for (const Node::Entry& entry : node.entries) {
    const auto found = std::find(keys.begin(), keys.end(), entry.key);
    if (found != keys.end()) {
      values[static_cast<std::size_t>(found - keys.begin())] = &entry.value;
    } else {
      meant.push_back(report_unknown(d, entry, keys));
      if (object.one_key) good = false;
    }
  }
  if (object.one_key) check_one_key(d, node, object.name, good);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!object.fields[i].is_required || values[i] != nullptr) continue;
    // a misspelt key is one mistake, not two
    if (std::find(meant.begin(), meant.end(), keys[i]) == meant.end())
      d.error(node.at, '"' + keys[i] + "\" is missing");
  }
  return values;
}

void report_not_built(Decoder& d, const Node& value, const std::string& object, const std::string& key) {
  if (value.kind != Node::Kind::kScalar) return;
  const std::string text = expand_env(value.text, false).text;
  if (is_built(object, key, text)) return;
  d.error(value.at, text + " is not built in this version");
}

void drop_not_built(TypeInfo& type, const std::string& object, const std::string& key) {
  std::string range;
  if (drop_from_enums(type.schema, object, key, range)) type.range = range;
}

void report_no_mapping(Decoder& d, const Node& node, const ObjectInfo& object, const std::string& example) {
  bool all_default = !object.one_key;
  for (const FieldInfo& field : object.fields) all_default = all_default && !field.is_required;
  std::string hint = example.empty() ? "" : "write it like " + example;
  if (node.kind == Node::Kind::kNull && all_default) hint = "write {} to take every default";
  d.wrong_kind(node, "a mapping", hint);
}

}  // namespace albatross::config
