#include "tests/support/message.h"

#include <algorithm>
#include <stdexcept>

#include "tests/support/failure.h"

namespace albatross::test {
namespace {

std::string trimmed(std::string_view v) {
  while (!v.empty() && (v.front() == ' ' || v.front() == '\t')) v.remove_prefix(1);
  while (!v.empty() && (v.back() == ' ' || v.back() == '\t')) v.remove_suffix(1);
  return std::string(v);
}

const std::string* find(const FieldList& fields, std::string_view name) {
  for (const auto& [n, v] : fields) {
    if (lower_case(n) == lower_case(name)) return &v;
  }
  return nullptr;
}

class Reader {
 public:
  Reader(std::string& held, const ByteSource& more, Message& out) : held_(held), more_(more), out_(out) {}

  std::string line() {
    std::size_t end;
    while ((end = held_.find("\r\n")) == std::string::npos) fill("a line");
    std::string text = held_.substr(0, end);
    take(end + 2);
    return text;
  }
  std::string exactly(std::size_t n) {
    while (held_.size() < n) fill("a body");
    std::string text = held_.substr(0, n);
    take(n);
    return text;
  }
  std::string rest() {
    while (pull()) {
    }
    std::string text = held_;
    take(held_.size());
    return text;
  }
  FieldList fields() {
    FieldList list;
    for (std::string text = line(); !text.empty(); text = line()) {
      const std::size_t colon = text.find(':');
      if (colon == std::string::npos) throw BadMessage("a field line without a colon: " + text);
      list.emplace_back(text.substr(0, colon), trimmed(std::string_view(text).substr(colon + 1)));
    }
    return list;
  }

 private:
  bool pull() {
    std::string bytes = more_();
    held_ += bytes;
    return !bytes.empty();
  }
  void fill(const char* what) {
    if (!pull()) throw Truncated(std::string("the stream ended within ") + what + ", after: " + out_.raw + held_);
  }
  void take(std::size_t n) {
    out_.raw.append(held_, 0, n);
    held_.erase(0, n);
  }
  std::string& held_;
  const ByteSource& more_;
  Message& out_;
};

void read_chunks(Reader& r, Message& m) {
  m.chunked = true;
  for (;;) {
    const std::string size_line = r.line();
    std::size_t used = 0;
    const std::size_t size = std::stoull(size_line, &used, 16);
    if (used == 0 || (used < size_line.size() && size_line[used] != ';')) throw BadMessage("chunk size: " + size_line);
    if (size == 0) break;
    m.chunks.push_back(r.exactly(size));
    m.body += m.chunks.back();
    if (r.exactly(2) != "\r\n") throw BadMessage("no line end behind a chunk");
  }
  m.trailers = r.fields();
}

bool has_no_body(Side side, const Message& m, bool bodyless) {
  if (side == Side::kRequest) return false;
  return bodyless || m.status() < 200 || m.status() == 204 || m.status() == 304;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

int Message::status() const { return start.size() >= 12 ? std::stoi(start.substr(9, 3)) : 0; }
std::string Message::method() const { return start.substr(0, start.find(' ')); }
std::string Message::version() const { return start.substr(start.rfind(' ') + 1); }
std::string Message::target() const {
  const std::size_t from = start.find(' ') + 1;
  return start.substr(from, start.rfind(' ') - from);
}
std::string Message::get(std::string_view name) const {
  const std::string* v = find(fields, name);
  return v == nullptr ? std::string() : *v;
}
std::string Message::trailer(std::string_view name) const {
  const std::string* v = find(trailers, name);
  return v == nullptr ? std::string() : *v;
}
std::size_t Message::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [&](const auto& f) { return lower_case(f.first) == lower_case(name); }));
}

Message read_message(Side side, std::string& held, const ByteSource& more, bool bodyless) {
  std::vector<Message> informational;
  for (;;) {
    Message m;
    Reader r(held, more, m);
    m.start = r.line();
    m.fields = r.fields();
    m.head = m.raw;
    if (side == Side::kResponse && m.status() < 200 && m.status() != 101) {
      informational.push_back(std::move(m));
      continue;
    }
    m.informational = std::move(informational);
    if (has_no_body(side, m, bodyless)) return m;
    if (lower_case(m.get("transfer-encoding")) == "chunked") {
      read_chunks(r, m);
    } else if (m.has("content-length")) {
      m.body = r.exactly(std::stoull(m.get("content-length")));
    } else if (side == Side::kResponse) {
      m.until_close = true;
      m.body = r.rest();
    }
    return m;
  }
}

}  // namespace albatross::test
