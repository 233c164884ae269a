// An HTTP/1 message as it was on the wire, read by a parser that shares nothing with the product's.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace albatross::test {

using FieldList = std::vector<std::pair<std::string, std::string>>;

struct Message {
  std::string raw;    // all of it
  std::string head;   // start line and fields, with the empty line
  std::string start;  // the start line
  FieldList fields;
  std::string body;  // decoded
  FieldList trailers;
  std::vector<std::string> chunks;     // as they were cut, if chunked
  std::vector<Message> informational;  // responses: the heads before the final one
  bool chunked = false;
  bool until_close = false;

  int status() const;
  std::string method() const;
  std::string target() const;
  std::string version() const;
  // The first field of that name, any case; "" if there is none.
  std::string get(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  bool has(std::string_view name) const { return count(name) > 0; }
  std::string trailer(std::string_view name) const;
};

enum class Side { kRequest, kResponse };

// Returns more bytes; empty: the end of the stream. Throws when the deadline passes.
using ByteSource = std::function<std::string()>;

// Reads one message; throws if it does not end properly (failure.h). `held` keeps the bytes after it. `bodyless`: a
// response to HEAD.
Message read_message(Side side, std::string& held, const ByteSource& more, bool bodyless = false);

std::string lower_case(std::string_view text);

}  // namespace albatross::test
