// The control thread's access to the workers. Owned by Serving; control thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <vector>

#include "proxy/worker.h"

namespace albatross {

class Workers {
 public:
  explicit Workers(boost::asio::io_context& io) : io_(io) {}

  void add(std::unique_ptr<Worker> w) { all_.push_back(std::move(w)); }
  void start() {
    for (auto& w : all_) w->start();
  }
  void join() {
    for (auto& w : all_) w->join();
  }
  void clear() { all_.clear(); }
  std::size_t size() const { return all_.size(); }

  // Runs f(worker) on that worker's thread.
  template <class F>
  void post(int i, F f) {
    Worker* worker = all_[static_cast<std::size_t>(i)].get();
    worker->loop().post([worker, f = std::move(f)]() mutable { f(*worker); });
  }
  // The same on each worker; `f` is copied.
  template <class F>
  void post_all(const F& f) {
    for (std::size_t i = 0; i < all_.size(); ++i) post(static_cast<int>(i), f);
  }
  // A function that each worker calls with its part of a drain. When all have, `done` is called with the sum, on the
  // control thread.
  Worker::Drained sum(Worker::Drained done) {
    struct Sum {
      DrainReport report;
      std::size_t left;
    };
    auto sum = std::make_shared<Sum>(Sum{{}, all_.size()});
    return [this, sum, done = std::move(done)](const DrainReport& part) {
      boost::asio::post(io_, [sum, done, part] {
        sum->report.add(part);
        if (--sum->left == 0 && done) done(sum->report);
      });
    };
  }

 private:
  boost::asio::io_context& io_;
  std::vector<std::unique_ptr<Worker>> all_;
};

}  // namespace albatross
