// The schema and the reference say what the decoder does: they are made from the same table.
#include <regex.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/table/not_built.h"
#include "config/table/table.h"
#include "sample.h"

namespace albatross::config::test {
namespace {

using J = nlohmann::json;

// The part of draft-07 that the schema uses. Gives the first reason why `value` is refused, empty if there is none.
class Validator {
 public:
  explicit Validator(J schema) : schema_(std::move(schema)) {}
  std::string check(const J& value) const { return check(schema_, value, "$"); }

 private:
  std::string check(const J& schema, const J& value, const std::string& at) const {
    if (schema.contains("$ref")) {
      return check(schema_.at(J::json_pointer(schema["$ref"].get<std::string>().substr(1))), value, at);
    }
    for (const J& part : schema.value("allOf", J::array())) {
      if (std::string why = check(part, value, at); !why.empty()) return why;
    }
    if (schema.contains("anyOf")) {
      std::string why = at + ": nothing of anyOf";
      for (const J& part : schema["anyOf"]) {
        const std::string one = check(part, value, at);
        if (one.empty()) why.clear();
        if (why.empty()) break;
        why += " (" + one + ")";
      }
      if (!why.empty()) return why;
    }
    if (schema.contains("type") && !has_type(schema["type"], value)) return at + ": type";
    if (schema.contains("const") && value != schema["const"]) return at + ": const";
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
      return at + ": enum";
    }
    if (value.is_number() && (value < schema.value("minimum", value) || value > schema.value("maximum", value))) {
      return at + ": range";
    }
    if (value.is_string() && schema.contains("pattern") && !matches(value.get<std::string>(), schema["pattern"])) {
      return at + ": pattern " + schema["pattern"].get<std::string>();
    }
    if (value.is_array()) return items(schema, value, at);
    return value.is_object() ? members(schema, value, at) : "";
  }

  // The schema's patterns are the same in ECMA 262 and in POSIX.
  static bool matches(const std::string& text, const std::string& pattern) {
    regex_t regex;
    REQUIRE(regcomp(&regex, pattern.c_str(), REG_EXTENDED | REG_NOSUB) == 0);
    const bool found = regexec(&regex, text.c_str(), 0, nullptr, 0) == 0;
    regfree(&regex);
    return found;
  }

  std::string items(const J& schema, const J& value, const std::string& at) const {
    if (value.size() < schema.value("minItems", std::size_t{0})) return at + ": minItems";
    for (const J& item : value) {
      if (!schema.contains("items")) break;
      if (std::string why = check(schema["items"], item, at + "[]"); !why.empty()) return why;
    }
    return "";
  }

  std::string members(const J& schema, const J& value, const std::string& at) const {
    if (value.size() < schema.value("minProperties", std::size_t{0})) return at + ": minProperties";
    if (value.size() > schema.value("maxProperties", value.size())) return at + ": maxProperties";
    for (const J& key : schema.value("required", J::array())) {
      if (!value.contains(key.get<std::string>())) return at + ": required " + key.get<std::string>();
    }
    const J properties = schema.value("properties", J::object());
    for (const auto& [key, member] : value.items()) {
      const J& rest = schema.contains("additionalProperties") ? schema["additionalProperties"] : J(true);
      if (!properties.contains(key) && rest == J(false)) return at + ": unknown " + key;
      const J& one = properties.contains(key) ? properties[key] : rest;
      if (!one.is_object()) continue;
      if (std::string why = check(one, member, at + "." + key); !why.empty()) return why;
    }
    return "";
  }

  static bool has_type(const J& type, const J& value) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(), [&](const J& one) { return has_type(one, value); });
    }
    if (type == "string") return value.is_string();
    if (type == "number") return value.is_number();
    if (type == "integer") return value.is_number_integer();
    if (type == "boolean") return value.is_boolean();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
  }

  J schema_;
};

J as_json(const std::string& yaml) {
  Diagnostics none("", "");
  const std::optional<Node> tree = parse({"", yaml, Format::kYaml}, none);
  REQUIRE(tree);
  return J::parse(to_json(*tree));
}

void check_references(const J& schema, const J& root) {
  if (schema.is_object() && schema.contains("$ref") && schema["$ref"].is_string()) {
    INFO(schema.dump());
    CHECK(root.contains(J::json_pointer(schema["$ref"].get<std::string>().substr(1))));
  }
  if (!schema.is_structured()) return;
  for (const J& part : schema) check_references(part, root);
}

}  // namespace

TEST_CASE("the schema has every key of the table, described") {
  const J schema = J::parse(config::schema());
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  std::size_t keys = 0;
  for (const ObjectInfo* object : all_tables()) {
    INFO(object->name);
    REQUIRE(schema["definitions"].contains(object->name));
    const J& definition = schema["definitions"][object->name];
    CHECK(definition["additionalProperties"] == false);
    CHECK(definition["properties"].size() == object->fields.size());
    for (const FieldInfo& field : object->fields) {
      INFO(field.key);
      REQUIRE(definition["properties"].contains(field.key));
      CHECK(definition["properties"][field.key]["description"].get<std::string>().size() > 5);
      CHECK(field.meaning.ends_with('.'));
      // a key says in one way what its absence means
      CHECK((field.is_required || object->one_key || object->name == "pattern" ||
             field.fallback.is_null() != field.without_it.empty()));
      ++keys;
    }
  }
  CHECK(keys > 90);
  check_references(schema, schema);
}

TEST_CASE("the schema accepts the example and refuses what load refuses") {
  const Validator validator(J::parse(schema()));
  CHECK(validator.check(as_json(kExample)) == "");
  CHECK(validator.check(as_json(with_top("workers: 4\nadmin: off\naccess_log: off\nrule_sets: {a: []}"))) == "");
  CHECK(validator.check(as_json(with_listener("half_close: ${env:X:-true}\nlimits: {fields: '${env:N}'}"))) == "");
  for (const std::string& text : {
           with_top("acces_log: off"),
           with_top("workers: 0"),
           with_listener("protocol: quic"),
           with_listener("timeouts: {idle: 15}"),
           with_listener("timeouts: {idle: 15sec}"),
           with_listener("limits: {target: 1MB}"),
           with_listener("half_close: yes"),
           with_group("scheduler: random"),
           with_conditions("[{path: /, host: a}]"),
           with_conditions("[{}]"),
           with_actions("[]"),
           with_actions("[redirect: {code: 304}]"),
           with_rule("timeouts: {idle: 1s}"),
           std::string("listeners: [{name: 'a b', bind: ':1', default_actions: [forward: b]}]"),
       }) {
    INFO(text);
    CHECK(validator.check(as_json(text)) != "");
    CHECK_FALSE(load_text(text).diagnostics.ok());
  }
}

TEST_CASE("nothing that is not built is offered") {
  const J definitions = J::parse(schema())["definitions"];
  for (const ObjectInfo* object : all_tables()) {
    for (const FieldInfo& field : object->fields) {
      INFO(object->name + "." + field.key);
      if (field.fallback.is_string()) CHECK(is_built(object->name, field.key, field.fallback.get<std::string>()));
      std::istringstream values(field.type.range);
      for (std::string value; std::getline(values, value, ',');) {
        CHECK(is_built(object->name, field.key, value.substr(value.find_first_not_of(' '))));
      }
    }
  }
  CHECK(definitions["server_group"]["properties"]["scheduler"]["description"].get<std::string>().ends_with(
      "Range: wrr, wlc, p2c, hash, sch, uch."));
  CHECK(reference_markdown().find("quic") == std::string::npos);
}

TEST_CASE("the example of a key is one") {
  std::size_t examples = 0;
  for (const ObjectInfo* object : all_tables()) {
    for (const FieldInfo& field : object->fields) {
      if (field.type.example.empty()) continue;
      INFO(object->name + "." + field.key + ": " + field.type.example);
      J one = J::parse(schema());
      one["allOf"] = {one["definitions"][object->name]["properties"][field.key]};
      CHECK(Validator(one).check(as_json(field.type.example)) == "");
      ++examples;
    }
  }
  CHECK(examples > 25);
}

TEST_CASE("the reference has a table for each object and its links lead somewhere") {
  const std::string text = reference_markdown();
  for (const ObjectInfo* object : all_tables()) {
    INFO(object->name);
    CHECK(text.find("\n## " + object->name + "\n") != std::string::npos);
    for (const FieldInfo& field : object->fields) CHECK(text.find("| `" + field.key + "` |") != std::string::npos);
  }
  for (std::size_t at = 0; (at = text.find("](#", at)) != std::string::npos; ++at) {
    const std::string target = text.substr(at + 3, text.find(')', at) - at - 3);
    INFO(target);
    CHECK(text.find("\n## " + target + "\n") != std::string::npos);
  }
}

}  // namespace albatross::config::test
