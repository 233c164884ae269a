#include "net/transport.h"

#include <sys/epoll.h>

namespace albatross {

void Transport::on_io(std::uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = readable_ = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) broken_ = writable_ = true;
  if ((events & EPOLLIN) != 0) readable_ = true;
  if ((events & EPOLLOUT) != 0) writable_ = true;
  loop_->make_ready(*owner_);
}

}  // namespace albatross
