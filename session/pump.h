// Moves one body in one direction, with credit: data from one Stream goes to another, and the source gets credit for
// more only when the data has left. A member of an Exchange; holds no bytes. Worker's thread.
#pragma once

#include <cstdint>

#include "session/stream.h"

namespace albatross {

class Pump {
 public:
  void attach(Stream& from) { from_ = &from; }
  // The source is gone or done: credit is not passed on any more.
  void detach() { from_ = nullptr; }
  // Called from on_data of the source. The bytes are valid until settle time.
  void data(Stream& to, std::string_view bytes) {
    moved_ += bytes.size();
    to.send_data(bytes);
  }
  // Called from on_sent of the sink. A sink reports only bytes that have left, so the source never gets more credit
  // than it is owed.
  void sent(std::size_t bytes) {
    if (from_ != nullptr) from_->consume(bytes);
  }
  std::uint64_t moved() const { return moved_; }

 private:
  Stream* from_ = nullptr;
  std::uint64_t moved_ = 0;
};

}  // namespace albatross
