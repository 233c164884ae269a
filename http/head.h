// Heads: ordered fields with one-byte ids for the names the proxy knows, and the start line's parts.
//
// A Fields lives in an Arena: its rows are in the arena and its names and values are views into it. Copying a Fields
// copies the handle, not the rows. An edit marks a row removed or adds one; nothing moves, so views stay good. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/header_id.h"

namespace albatross {

struct Field {
  const char* name_data;
  const char* value_data;
  std::uint32_t value_size;
  std::uint16_t name_size;
  HeaderId id;
  bool removed;

  std::string_view name() const { return {name_data, name_size}; }
  std::string_view value() const { return {value_data, value_size}; }
};

class Fields {
 public:
  Fields() = default;
  explicit Fields(Arena& arena) : arena_(&arena) {}

  // Appends a row. Name and value must outlive the Fields (views into the arena, the configuration or literals).
  void add(HeaderId id, std::string_view name, std::string_view value);
  void add(std::string_view name, std::string_view value) { add(header_id(name), name, value); }
  // Removes every row of that name and appends one.
  void set(HeaderId id, std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);

  // Number of rows removed. Names compare without case.
  int remove(HeaderId id);
  int remove(std::string_view name);

  // The first live row, or null.
  const Field* find(HeaderId id) const;
  const Field* find(std::string_view name) const;
  std::string_view value(HeaderId id) const {
    const Field* f = find(id);
    return f != nullptr ? f->value() : std::string_view();
  }
  int count(HeaderId id) const;

  // Takes over parsed rows: copies them into the arena with every view shifted by `shift` bytes.
  void adopt(const Field* rows, std::uint32_t n, std::ptrdiff_t shift);

  // Rows including removed ones; skip those with `removed`.
  Field* begin() { return rows_; }
  Field* end() { return rows_ + size_; }
  const Field* begin() const { return rows_; }
  const Field* end() const { return rows_ + size_; }
  std::uint32_t size() const { return size_; }
  Arena& arena() const { return *arena_; }

 private:
  Arena* arena_ = nullptr;
  Field* rows_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint64_t present_ = 0;  // bit per id that may be present: most look-ups end here
};

enum class Method : std::uint8_t { kOther, kGet, kHead, kPost, kPut, kDelete, kConnect, kOptions, kTrace, kPatch };

Method method_of(std::string_view token);
// RFC 9110 §9.2.2.
bool is_idempotent(Method m);

enum class Version : std::uint8_t { kHttp10, kHttp11, kHttp2 };

// How long a message's content is, decided once by http/framing (RFC 9112 §6).
struct BodyLength {
  enum class Kind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kNone;
  std::uint64_t length = 0;  // kLength only; kNone means 0
  bool operator==(const BodyLength&) const = default;
};

// A request's, a response's or an informational response's head.
struct Head {
  Fields fields;
  Version version = Version::kHttp11;
  BodyLength body;
  bool keep_alive = true;                // this message lets the connection live on
  std::uint32_t keep_alive_timeout = 0;  // seconds, from `Keep-Alive: timeout=`; 0: not said
  bool upgrade = false;                  // request: asks for websocket; response: 101 to such a request

  // Requests.
  Method method = Method::kOther;
  bool expect_continue = false;
  std::string_view method_text;
  std::string_view target;     // as received, for the log
  std::string_view scheme;     // "http" or "https": from the connection or :scheme
  std::string_view authority;  // the Host field, or the absolute form's
  std::string_view path;       // normalised, "/…" or "*"
  std::string_view query;      // without "?"; has_query tells "/a" from "/a?"
  bool has_query = false;

  // Responses.
  std::uint16_t status = 0;
  std::string_view reason;
  std::int64_t declared_length = -1;  // the content-length of an answer without a body (HEAD, 304); -1: none

  std::uint32_t wire_size = 0;  // bytes of the head as received
};

}  // namespace albatross
