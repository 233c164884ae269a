#include "http/output.h"

#include <algorithm>

namespace albatross {

void Output::set_gathering(bool on) {
  own_all();
  gathering_ = on;
}

char* Output::reserve(std::size_t n) {
  in_block_ = gathering_ && n <= Block::kSize;
  if (in_block_) return owned_.reserve(n);
  reserved_ = scratch_->take(n);
  reserved_size_ = n;
  if (reserved_ == nullptr) {
    large_.reset(new char[n]);
    reserved_ = large_.get();
  }
  return reserved_;
}

void Output::commit(std::size_t n) {
  if (in_block_) {
    in_block_ = false;
    return owned_.commit(n);
  }
  if (large_) {
    append({reserved_, n});
    large_.reset();
    return;
  }
  scratch_->give_back(reserved_size_ - n);
  borrow({reserved_, n});
}

void Output::push(const char* p, std::size_t n) {
  if (count_ > 0) {
    iovec& last = parts_[count_ - 1];
    if (static_cast<char*>(last.iov_base) + last.iov_len == p) {
      last.iov_len += n;
      return;
    }
  }
  parts_[count_++] = {const_cast<char*>(p), n};
}

void Output::borrow(std::string_view bytes) {
  if (bytes.empty()) return;
  if (gathering_) return owned_.append(bytes);
  if (count_ == kParts) own_all();
  push(bytes.data(), bytes.size());
  borrowed_size_ += bytes.size();
}

void Output::append(std::string_view bytes) {
  own_all();
  owned_.append(bytes);
}

void Output::own_all() {
  for (int i = 0; i < count_; ++i) owned_.append({static_cast<char*>(parts_[i].iov_base), parts_[i].iov_len});
  count_ = 0;
  borrowed_size_ = 0;
}

int Output::peek(iovec* parts, int max) const {
  int n = owned_.peek(parts, max);
  for (int i = 0; i < count_ && n < max; ++i) parts[n++] = parts_[i];
  return n;
}

void Output::consume(std::size_t n) {
  passed_ += n;
  std::size_t from_owned = std::min(n, owned_.size());
  owned_.consume(from_owned);
  n -= from_owned;
  borrowed_size_ -= n;
  int i = 0;
  for (; n > 0; ++i) {
    if (parts_[i].iov_len > n) {
      parts_[i].iov_base = static_cast<char*>(parts_[i].iov_base) + n;
      parts_[i].iov_len -= n;
      break;
    }
    n -= parts_[i].iov_len;
  }
  if (i > 0) {
    std::copy(parts_ + i, parts_ + count_, parts_);
    count_ -= i;
  }
}

void Output::clear() {
  owned_.clear();
  count_ = 0;
  borrowed_size_ = 0;
}

}  // namespace albatross
