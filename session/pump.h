// One body, one way, with credit: what comes from one Stream goes to another, and only when it has left is more asked
// for. A member of an Exchange; holds no bytes itself. One thread.
#pragma once

#include <cstdint>

#include "session/stream.h"

namespace albatross {

class Pump {
 public:
  void attach(Stream& from) { from_ = &from; }
  // The source is gone or done: credit has nowhere to go.
  void detach() { from_ = nullptr; }
  // From on_data of the source. The bytes are the sink's until settle time.
  void data(Stream& to, std::string_view bytes) {
    moved_ += bytes.size();
    to.send_data(bytes);
  }
  // From on_sent of the sink. A sink reports only when what it held is gone, so more than is owed is never asked for.
  void sent(std::size_t bytes) {
    if (from_ != nullptr) from_->consume(bytes);
  }
  std::uint64_t moved() const { return moved_; }

 private:
  Stream* from_ = nullptr;
  std::uint64_t moved_ = 0;
};

}  // namespace albatross
