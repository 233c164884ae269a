// The field table as a JSON Schema and as the configuration reference.
#include "config/load.h"
#include "config/table/table.h"

namespace albatross::config {
namespace {

Json property(const FieldInfo& field) {
  std::string description = field.meaning;
  if (!field.type.range.empty()) description += " Range: " + field.type.range + ".";
  if (!field.without_it.empty()) description += " Without it: " + field.without_it + ".";
  // draft-07 ignores what stands beside a $ref, so it goes into an allOf
  Json schema = field.type.schema;
  if (schema.contains("$ref")) schema = {{"allOf", Json::array({schema})}};
  schema["description"] = description;
  if (!field.fallback.is_null()) schema["default"] = field.fallback;
  return schema;
}

Json definition(const ObjectInfo& object) {
  Json out = {{"type", "object"}, {"description", object.meaning}, {"additionalProperties", false}};
  Json required = Json::array();
  for (const FieldInfo& field : object.fields) {
    out["properties"][field.key] = property(field);
    if (field.is_required) required.push_back(field.key);
  }
  if (!required.empty()) out["required"] = required;
  if (object.one_key) out["minProperties"] = out["maxProperties"] = 1;
  return out;
}

// A cell of a table; a bar in the text must not end it.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

// The value as it is written in YAML.
std::string in_yaml(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& item : value) out += (out.empty() ? "" : ", ") + in_yaml(item);
  return '[' + out + ']';
}

std::string default_cell(const FieldInfo& field) {
  if (field.is_required) return "**required**";
  if (field.fallback.is_object()) return "see there";
  return field.fallback.is_null() ? field.without_it : '`' + in_yaml(field.fallback) + '`';
}

std::string table(const ObjectInfo& object) {
  std::string out = "## " + object.name + "\n\n" + object.meaning + "\n\n";
  out += "| Key | Type | Default | Range | Meaning |\n|---|---|---|---|---|\n";
  for (const FieldInfo& field : object.fields) {
    out += "| `" + field.key + "` | " + cell(field.type.text) + " | " + cell(default_cell(field)) + " | " +
           cell(field.type.range) + " | " + cell(field.meaning) + " |\n";
  }
  return out + '\n';
}

constexpr const char* kIntroduction = R"(# Configuration reference

The configuration is a file in YAML (`.yaml`, `.yml`) or JSON (`.json`, where `//` comments are allowed), with the same
keys in both. `albatross schema --markdown` generates this page, and `albatross schema` prints a JSON Schema.

- **Unknown keys are errors**, and so are keys written twice. Every error of a file is reported in one run.
- **Durations** are written like `250ms`, `15s`, `1.5m`, `1h`, and **sizes** like `512B`, `64KiB`, `1MiB`. The unit is
  required.
- **Numbers and booleans** are written without quotes. Booleans are `true` and `false` only. `010` is ten.
- **Names** match `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`.
- **Paths of files** are relative to the folder of the configuration file.
- **Environment**: `${env:NAME}` and `${env:NAME:-default}` can be used in any value. The default also replaces an empty
  variable. `$${` is a literal `${`.
- **Templates** (redirect, rewrite, insert_header) can use these variables: `${host}` `${path}` `${query}` `${port}`
  `${protocol}` `${client_ip}` `${client_port}` `${listener}` `${rule}` `${request_id}` `${header:name}`
  `${cookie:name}`, and `${1}` to `${9}` for the captures of the rule's path regex.
- YAML anchors and aliases are supported; tags, merge keys (`<<`) and a second document are not.
- "or list" means that the key takes a single value or a list of values.

)";

}  // namespace

std::string schema() {
  Json out = {{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", "albatross configuration"},
              {"allOf", Json::array({{{"$ref", "#/definitions/config"}}})}};
  Json& definitions = out["definitions"];
  definitions["env"] = {{"type", "string"},
                        {"pattern", "\\$\\{env:"},
                        {"description", "A value from the environment: ${env:NAME} or ${env:NAME:-default}."}};
  for (const ObjectInfo* object : all_tables()) definitions[object->name] = definition(*object);
  return out.dump(2);
}

std::string reference_markdown() {
  std::string out = kIntroduction;
  for (const ObjectInfo* object : all_tables()) out += table(*object);
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

}  // namespace albatross::config
