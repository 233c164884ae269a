// The field table's building blocks. A Type<T> defines how a node becomes a T and how it is described in the schema and
// in the reference; an Object<T> is a table of keys, each with its Type and the member of T that it fills. One table
// decodes, finds unknown keys, and writes the schema and docs/configuration.md.
//
// Types are values. Objects are built once, as static constants (table.h), and are then read by any thread.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/table/decoder.h"

namespace albatross::config {

using Json = nlohmann::ordered_json;

struct TypeInfo {
  std::string text;   // "duration", "list of [rule](#rule)"
  std::string range;  // "1s to 4000s"; may be empty
  Json schema;
  std::string example{};  // how a mapping or a list of them is written: "{path: /healthz}"; else empty
};

template <class T>
struct Type {
  TypeInfo info;
  // Reads the node into `out`. False: `out` is not usable, and the error is reported.
  std::function<bool(Decoder&, const Node&, T& out)> decode;
  // Returns the value as it is written in a file, for types whose values may be defaults; else empty.
  std::function<Json(const T&)> show{};
};

struct FieldInfo {
  std::string key;
  TypeInfo type;
  std::string meaning;  // one sentence
  bool is_required = false;
  Json fallback{};           // the default of the key's member as it is written in a file; else null
  std::string without_it{};  // what happens without the key, in words, if there is no default
  std::string assumed{};     // decoded where the key is absent; else empty

  FieldInfo& required() {
    is_required = true;
    fallback = nullptr;
    return *this;
  }
  FieldInfo& otherwise(std::string prose) {
    without_it = std::move(prose);
    fallback = nullptr;
    return *this;
  }
  // For a default that differs from the member's initialiser, because leaving out the whole object means something
  // else.
  FieldInfo& assume(std::string text) {
    fallback = text;
    assumed = std::move(text);
    return *this;
  }
};

struct ObjectInfo {
  std::string name;
  std::string meaning;
  bool one_key = false;  // it has exactly one of the keys, as a condition has
  std::vector<FieldInfo> fields;
};

// The value of each field in the mapping `node`; null if its key is absent. Reports unknown and missing keys. `good`
// becomes false if the object cannot be used at all.
std::vector<const Node*> match_keys(Decoder& d, const Node& node, const ObjectInfo& object, bool& good);
// Reports a value that this version does not build.
void report_not_built(Decoder& d, const Node& value, const std::string& object, const std::string& key);
// Removes such values from the schema and the range.
void drop_not_built(TypeInfo& type, const std::string& object, const std::string& key);
// Reports that the node is not a mapping, as the object must be.
void report_no_mapping(Decoder& d, const Node& node, const ObjectInfo& object, const std::string& example);

template <class M>
inline constexpr bool kIsOptional = false;
template <class X>
inline constexpr bool kIsOptional<std::optional<X>> = true;

// Decodes into a member: a T, a Value<T>, or an optional of either.
template <class M, class T>
bool store(Decoder& d, const Node& node, const Type<T>& type, M& member) {
  if constexpr (kIsOptional<M>) {
    typename M::value_type value{};
    if (!store(d, node, type, value)) return false;
    member = std::move(value);
    return true;
  } else if constexpr (std::is_same_v<M, Value<T>>) {
    T value{};
    if (!type.decode(d, node, value)) return false;
    member = Value<T>(std::move(value), node.at);
    return true;
  } else {
    return type.decode(d, node, member);
  }
}

// The value of such a member as it is written in a file; null for none.
template <class M, class T>
Json shown(const Type<T>& type, const M& member) {
  if constexpr (kIsOptional<M>) {
    return nullptr;
  } else {
    const Json value = type.show ? type.show(static_cast<const T&>(member)) : Json();
    return value == "" ? Json() : value;
  }
}

template <class C>
class Object {
 public:
  Object(std::string name, std::string meaning) : info_{std::move(name), std::move(meaning), false, {}} {}

  // `where` names the member: a pointer to it, or a function from C& to a reference to it. Its value in a new C is the
  // default.
  template <class Where, class T>
  FieldInfo& field(std::string key, Where where, Type<T> type, std::string meaning) {
    FieldInfo info{std::move(key), type.info, std::move(meaning)};
    drop_not_built(info.type, info_.name, info.key);
    C fresh{};
    if (!info_.one_key) info.fallback = shown(type, std::invoke(where, fresh));
    info_.fields.push_back(std::move(info));
    reads_.push_back([where, type = std::move(type)](Decoder& d, const Node& node, C& out) {
      return store(d, node, type, std::invoke(where, out));
    });
    return info_.fields.back();
  }

  // The object has exactly one of its keys. To be called before field().
  void one_key() { info_.one_key = true; }
  // A check of the whole object, made after its fields are decoded.
  void also(std::function<bool(Decoder&, const Node&, C&)> check) { also_ = std::move(check); }

  const ObjectInfo& info() const { return info_; }

  bool decode(Decoder& d, const Node& node, C& out) const {
    if (node.kind != Node::Kind::kMapping) {
      report_no_mapping(d, node, info_, {});
      return false;
    }
    bool good = true;
    const std::vector<const Node*> values = match_keys(d, node, info_, good);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const FieldInfo& field = info_.fields[i];
      const auto scope = d.enter(info_.name, field.key);
      if (values[i] != nullptr) {
        const bool read = reads_[i](d, *values[i], out);
        if (read) report_not_built(d, *values[i], info_.name, field.key);
        if (!read && info_.one_key) good = false;
      } else if (!field.assumed.empty()) {
        Node assumed;
        assumed.kind = Node::Kind::kScalar;
        assumed.text = field.assumed;
        reads_[i](d, assumed, out);
      }
    }
    if (also_ && good) good = also_(d, node, out);
    return good;
  }

 private:
  ObjectInfo info_;
  std::vector<std::function<bool(Decoder&, const Node&, C&)>> reads_;
  std::function<bool(Decoder&, const Node&, C&)> also_;
};

// A mapping that the table `table` describes. The function is called when the type is used, so tables may refer to
// themselves. The example is shown in the error if the node is not a mapping.
template <class C>
Type<C> object(const std::string& name, const Object<C>& (*table)(), const std::string& example) {
  TypeInfo info{"[" + name + "](#" + name + ")", {}, {{"$ref", "#/definitions/" + name}}, example};
  return {std::move(info),
          [table, example](Decoder& d, const Node& node, C& out) {
            if (node.kind == Node::Kind::kMapping) return table().decode(d, node, out);
            report_no_mapping(d, node, table().info(), example);
            return false;
          },
          [](const C&) { return Json::object(); }};
}

// A list of at least `least` elements that `item` reads; with `or_one` a single value is a list of one element.
template <class E, class T>
Type<std::vector<E>> list_of(Type<T> item, std::size_t least = 0, bool or_one = false) {
  TypeInfo info{(or_one ? item.info.text + " or list" : "list of " + item.info.text), item.info.range, {}};
  info.schema = {{"type", "array"}, {"items", item.info.schema}};
  if (!item.info.example.empty()) info.example = or_one ? item.info.example : '[' + item.info.example + ']';
  const std::string hint = info.example.empty() ? "" : "write it like " + info.example;
  if (least > 0) info.schema["minItems"] = least;
  if (or_one) info.schema = {{"anyOf", {item.info.schema, info.schema}}};
  const auto add = [item](Decoder& d, const Node& node, std::vector<E>& out) {
    E element{};
    if (!store(d, node, item, element)) return false;
    if constexpr (requires { element.at; }) element.at = node.at;
    out.push_back(std::move(element));
    return true;
  };
  return {std::move(info),
          [add, least, or_one, hint](Decoder& d, const Node& node, std::vector<E>& out) {
            out.clear();
            if (node.kind != Node::Kind::kSequence) {
              if (or_one && node.kind != Node::Kind::kNull) return add(d, node, out);
              d.wrong_kind(node, "a list", hint);
              return false;
            }
            if (node.items.size() < least) {
              d.error(node.at, "the list is empty", "it needs at least one");
              return false;
            }
            bool good = true;
            for (std::size_t i = 0; i < node.items.size(); ++i) {
              const auto scope = d.enter(i);
              good = add(d, node.items[i], out) && good;
            }
            return good;
          },
          [item, or_one](const std::vector<E>& list) -> Json {
            if (list.empty() || !item.show) return nullptr;
            if (or_one && list.size() == 1) return shown(item, list[0]);
            Json all = Json::array();
            for (const E& element : list) all.push_back(shown(item, element));
            return all;
          }};
}

// A mapping whose keys `key` reads. `hint` shows one.
template <class V>
Type<std::vector<std::pair<Value<std::string>, V>>> map_of(Type<std::string> key, Type<V> value, std::string what,
                                                           std::string hint) {
  TypeInfo info{std::move(what), value.info.range, {}};
  info.schema = {{"type", "object"}, {"propertyNames", key.info.schema}, {"additionalProperties", value.info.schema}};
  return {std::move(info), [=](Decoder& d, const Node& node, std::vector<std::pair<Value<std::string>, V>>& out) {
            if (node.kind != Node::Kind::kMapping) {
              d.wrong_kind(node, "a mapping", hint);
              return false;
            }
            for (const Node::Entry& entry : node.entries) {
              const auto scope = d.enter(entry.key);
              Node text;
              text.kind = Node::Kind::kScalar;
              text.text = entry.key;
              text.at = entry.at;
              std::string name;
              V read{};
              if (!key.decode(d, text, name) || !value.decode(d, entry.value, read)) continue;
              out.emplace_back(Value<std::string>(std::move(name), entry.at), std::move(read));
            }
            return true;
          }};
}

// One value, stored as a list of one element.
template <class E>
Type<std::vector<E>> just_one(Type<E> item) {
  return {item.info, [item](Decoder& d, const Node& node, std::vector<E>& out) {
            E element{};
            if (!item.decode(d, node, element)) return false;
            if constexpr (requires { element.at; }) element.at = node.at;
            out.clear();
            out.push_back(std::move(element));
            return true;
          }};
}

// Reads a scalar with `scalar` and any other node with `rest`.
template <class T>
Type<T> scalar_or(Type<T> scalar, Type<T> rest) {
  TypeInfo info{scalar.info.text + " or " + rest.info.text,
                {},
                {{"anyOf", {scalar.info.schema, rest.info.schema}}},
                rest.info.example};
  return {std::move(info),
          [scalar, rest](Decoder& d, const Node& node, T& out) {
            return (node.kind == Node::Kind::kScalar ? scalar : rest).decode(d, node, out);
          },
          scalar.show ? scalar.show : rest.show};
}

}  // namespace albatross::config
