#include "http/field_section.h"

#include <algorithm>
#include <charconv>

namespace albatross {

void FieldSection::begin(Arena& arena) {
  head_ = Head{};
  head_.fields = Fields(arena);
  protocol_ = {};
  decoded_ = fields_ = crumbs_ = 0;
  over_ = Cause::kNone;
}

void FieldSection::add(std::string_view name, std::string_view value) {
  std::size_t size = decoded_ + name.size() + value.size() + 4;
  if (size > limits_->head) {
    over_ = Cause::kHeadTooLarge;
    return;
  }
  decoded_ = static_cast<std::uint32_t>(size);
  if (name[0] == ':') return take_pseudo(name, value);
  HeaderId id = header_id(name);
  if (id != HeaderId::kCookie || crumbs_++ == 0) ++fields_;
  if (fields_ > limits_->fields || name.size() > 0xffff) {
    over_ = Cause::kHeadTooLarge;
    return;
  }
  Arena& arena = head_.fields.arena();
  head_.fields.add(id, id == HeaderId::kOther ? arena.copy(name) : header_name(id), arena.copy(value));
}

void FieldSection::take_pseudo(std::string_view name, std::string_view value) {
  if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), head_.status);
    return;
  }
  std::string_view text = head_.fields.arena().copy(value);
  if (name == ":method") {
    head_.method_text = text;
  } else if (name == ":path") {
    head_.target = text;
    if (text.size() > limits_->target) over_ = Cause::kTargetTooLong;
  } else if (name == ":authority") {
    head_.authority = text;
  } else if (name == ":scheme") {
    head_.scheme = text;
  } else if (name == ":protocol") {
    protocol_ = text;
  }
}

// RFC 9113 §8.2.3.
void FieldSection::join_cookies() {
  if (crumbs_ < 2) return;
  head_.fields.set(HeaderId::kCookie, "cookie", head_.fields.joined(HeaderId::kCookie, "; "));
}

Refusal FieldSection::finish_request(bool end) {
  if (over_ != Cause::kNone) return {over_, nullptr};
  join_cookies();
  Refusal why = apply_h2_request_rules(head_, protocol_, end, head_.fields.begin(), head_.fields.size());
  head_.wire_size = decoded_;
  return why;
}

Refusal FieldSection::finish_response(bool to_head, bool tunnel, bool end) {
  if (over_ != Cause::kNone) return {over_, "the response head is too large"};
  if (tunnel && head_.status >= 200 && head_.status < 300 && !end) {
    head_.status = 101;
    head_.upgrade = true;
  }
  Refusal why = apply_h2_response_rules(head_, to_head, end, head_.fields.begin(), head_.fields.size());
  head_.wire_size = decoded_;
  return why;
}

Fields* FieldSection::finish_trailers() {
  strip_trailers(head_.fields.begin(), head_.fields.size());
  return head_.fields.size() == 0 ? nullptr : &head_.fields;
}

}  // namespace albatross
