#include "http/head.h"

#include <algorithm>

namespace albatross {
namespace {
constexpr std::uint64_t bit(HeaderId id) { return std::uint64_t{1} << static_cast<unsigned>(id); }
static_assert(static_cast<unsigned>(HeaderId::kCount) <= 64);
}  // namespace

void Fields::add(HeaderId id, std::string_view name, std::string_view value) {
  if (size_ == capacity_) {
    std::uint32_t grown = capacity_ == 0 ? 24 : capacity_ * 2;
    Field* rows = arena_->array<Field>(grown);
    for (std::uint32_t i = 0; i < size_; ++i) rows[i] = rows_[i];
    rows_ = rows;
    capacity_ = grown;
  }
  rows_[size_++] = Field{
      name.data(), value.data(), static_cast<std::uint32_t>(value.size()), static_cast<std::uint16_t>(name.size()),
      id,          false};
  present_ |= bit(id);
}

void Fields::adopt(const Field* rows, std::uint32_t n, std::ptrdiff_t shift) {
  capacity_ = n + 12;  // room for what the proxy adds
  rows_ = arena_->array<Field>(capacity_);
  size_ = n;
  present_ = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    rows_[i] = rows[i];
    rows_[i].name_data += shift;
    rows_[i].value_data += shift;
    present_ |= bit(rows[i].id);
  }
}

void Fields::set(HeaderId id, std::string_view name, std::string_view value) {
  remove(id);
  add(id, name, value);
}

void Fields::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

int Fields::remove(HeaderId id) {
  if ((present_ & bit(id)) == 0) return 0;
  int n = 0;
  for (Field& f : *this) {
    if (f.id == id && !f.removed) {
      f.removed = true;
      ++n;
    }
  }
  present_ &= ~bit(id);
  return n;
}

int Fields::remove(std::string_view name) {
  HeaderId id = header_id(name);
  if (id != HeaderId::kOther) return remove(id);
  int n = 0;
  for (Field& f : *this) {
    if (f.id == HeaderId::kOther && !f.removed && equals_ignore_case(f.name(), name)) {
      f.removed = true;
      ++n;
    }
  }
  return n;
}

const Field* Fields::find(HeaderId id) const {
  if ((present_ & bit(id)) == 0) return nullptr;
  for (const Field& f : *this) {
    if (f.id == id && !f.removed) return &f;
  }
  return nullptr;
}

const Field* Fields::find(std::string_view name) const {
  HeaderId id = header_id(name);
  if (id != HeaderId::kOther) return find(id);
  for (const Field& f : *this) {
    if (f.id == HeaderId::kOther && !f.removed && equals_ignore_case(f.name(), name)) return &f;
  }
  return nullptr;
}

int Fields::count(HeaderId id) const {
  if ((present_ & bit(id)) == 0) return 0;
  int n = 0;
  for (const Field& f : *this) n += f.id == id && !f.removed;
  return n;
}

Method method_of(std::string_view t) {
  switch (t.size()) {
    case 3: return t == "GET" ? Method::kGet : t == "PUT" ? Method::kPut : Method::kOther;
    case 4: return t == "HEAD" ? Method::kHead : t == "POST" ? Method::kPost : Method::kOther;
    case 5: return t == "PATCH" ? Method::kPatch : t == "TRACE" ? Method::kTrace : Method::kOther;
    case 6: return t == "DELETE" ? Method::kDelete : Method::kOther;
    case 7: return t == "OPTIONS" ? Method::kOptions : t == "CONNECT" ? Method::kConnect : Method::kOther;
    default: return Method::kOther;
  }
}

bool is_idempotent(Method m) {
  switch (m) {
    case Method::kGet:
    case Method::kHead:
    case Method::kPut:
    case Method::kDelete:
    case Method::kOptions:
    case Method::kTrace: return true;
    default: return false;
  }
}

std::string_view Fields::joined(HeaderId id, std::string_view separator) const {
  const Field* only = nullptr;
  std::size_t rows = 0, size = 0;
  for (const Field& f : *this) {
    if (f.removed || f.id != id || f.value_size == 0) continue;
    only = &f;
    size += f.value_size + separator.size();
    ++rows;
  }
  if (rows == 0) return {};
  if (rows == 1) return only->value();
  char* text = arena_->bytes(size);
  char* p = text;
  for (const Field& f : *this) {
    if (f.removed || f.id != id || f.value_size == 0) continue;
    if (p != text) p = std::copy_n(separator.data(), separator.size(), p);
    p = std::copy_n(f.value_data, f.value_size, p);
  }
  return {text, static_cast<std::size_t>(p - text)};
}

}  // namespace albatross
