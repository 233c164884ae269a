// Head: the parts of a start line and the fields, in their order, of a request or a response.
//
// The rows of a Fields are in an Arena; names and values are views into the arena or into memory that outlives it.
// Copying a Fields copies the handle, not the rows. An edit marks a row as removed or adds one; names and values do not
// move, so views of them stay valid. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/header_id.h"

namespace albatross {

// One row. A removed one is kept, but is no longer part of the message.
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

  // Appends a row; the id must be that of the name. Name and value must outlive the Fields: they are in its arena, in
  // the configuration, or literals.
  void add(HeaderId id, std::string_view name, std::string_view value);
  void add(std::string_view name, std::string_view value) { add(header_id(name), name, value); }
  // Removes every row of that name and appends one.
  void set(HeaderId id, std::string_view name, std::string_view value);
  void set(std::string_view name, std::string_view value);

  // Removes all rows of that name, in any case, and returns how many there were.
  int remove(HeaderId id);
  int remove(std::string_view name);

  // The first row of that name that is not removed, or null.
  const Field* find(HeaderId id) const;
  const Field* find(std::string_view name) const;
  // Its value; empty if there is none.
  std::string_view value(HeaderId id) const {
    const Field* f = find(id);
    return f != nullptr ? f->value() : std::string_view();
  }
  // How many rows of that name are not removed.
  int count(HeaderId id) const;
  // The values of all live rows of that name as one list, "a, b" (RFC 9110 §5.3); a view of the row if there is one
  // only. Linear in the rows.
  std::string_view joined(HeaderId id, std::string_view separator = ", ") const;

  // Replaces the rows by copies of parsed ones, in the arena, with all views moved by `shift` bytes: to where the bytes
  // of the head were copied.
  void adopt(const Field* rows, std::uint32_t n, std::ptrdiff_t shift);

  // All rows, the removed ones included.
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

// Methods are case-sensitive (RFC 9110 §9.1).
Method method_of(std::string_view token);
// Whether a request may be executed twice (RFC 9110 §9.2.2).
bool is_idempotent(Method m);

enum class Version : std::uint8_t { kHttp10, kHttp11, kHttp2 };

// How the length of a message's body is known (RFC 9112 §6), as http/framing has decided.
struct BodyLength {
  enum class Kind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kNone;
  std::uint64_t length = 0;  // kLength: in bytes; else 0
  // Whether there is no content.
  bool empty() const { return kind == Kind::kNone || (kind == Kind::kLength && length == 0); }
  bool operator==(const BodyLength&) const = default;
};

// The head of a request, a response or an informational response. Its views are into the arena of the fields.
struct Head {
  Fields fields;
  Version version = Version::kHttp11;
  BodyLength body;
  bool keep_alive = true;                // the connection may be used after this message
  std::uint32_t keep_alive_timeout = 0;  // seconds, from `Keep-Alive: timeout=`; 0: not given
  bool upgrade = false;                  // request: asks for websocket; response: the 101 to such a request

  // Requests.
  Method method = Method::kOther;
  bool expect_continue = false;
  std::string_view method_text;
  std::string_view target;     // as received, for the log
  std::string_view scheme;     // "http" or "https": from the connection or :scheme
  std::string_view authority;  // the Host field's, or that of a target in absolute form
  std::string_view path;       // begins with "/", or is "*"; normalised by the exchange
  std::string_view query;      // without "?"; has_query tells "/a" from "/a?"
  bool has_query = false;

  // Responses.
  std::uint16_t status = 0;
  std::string_view reason;
  std::int64_t declared_length = -1;  // Content-Length, also of a response without a body (to HEAD, 304); -1: none

  std::uint32_t wire_size = 0;  // bytes of the head as received
};

}  // namespace albatross
