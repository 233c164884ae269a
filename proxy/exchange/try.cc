#include "proxy/exchange/try.h"

#include <utility>

#include "proxy/upstream/group.h"

namespace albatross {

void Try::begin(bool fresh) {
  opening_ = nullptr;
  stream_ = nullptr;
  connected_ = 0;
  reused_ = false;
  fresh_ = fresh;
}

void Try::connect(UpstreamPool& pool, Nanos since) {
  pool_ = &pool;
  Result<Connection*> c = pool.acquire(lease.server(), *this, fresh_, since);
  if (!c) return events_.on_try_failed(c.error());
  if ((*c)->opening()) {
    opening_ = *c;
    return;
  }
  reused_ = true;
  on_connected(**c);
}

void Try::on_connected(Connection& c) {
  opening_ = nullptr;
  connected_ = lease.group().now();
  events_.on_try_connected(c);
}

void Try::on_connect_failed(const Error& e) {
  opening_ = nullptr;
  events_.on_try_failed(e);
}

void Try::on_reset(Stream&, const Error& e) {
  stream_ = nullptr;
  events_.on_try_failed(e);
}

void Try::cancel() {
  if (opening_ != nullptr) {
    pool_->cancel(*std::exchange(opening_, nullptr), *this);
  } else if (stream_ != nullptr) {
    std::exchange(stream_, nullptr)->reset();
  }
}

void Try::finish() {
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->release();
}

void Try::end_tunnel() {
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->end_tunnel();
}

}  // namespace albatross
