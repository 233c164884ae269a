// The access log (PRODUCT §8): one JSON line a request, formatted off the request path.
//
// A worker writes fixed-size numbers and the bytes of the strings into its own ring; one writer thread formats and
// writes. A full ring drops and counts. The writer flushes every 200 ms or earlier when a ring is half full, and on
// stop().
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log_ring.h"
#include "config/config.h"

namespace albatross {

// Strings of a record, in the order in which they follow it.
enum class LogText : std::uint8_t {
  kMethod,
  kUri,
  kHost,
  kClientIp,
  kScheme,
  kProtocol,
  kUpstreamAddr,
  kUserAgent,
  kReferer,
  kForwardedFor,
  kListener,
  kRule,
  kGroup,
  kTermination,
  kRequestId,
  kTraceId,
  kGrpcStatus,
  kSslProtocol,
  kSslCipher,
  kCount
};

struct LogRecord {
  Nanos wall = 0;  // when the request began
  Nanos request_time = 0;
  Nanos upstream_response_time = 0;
  Nanos upstream_connect_time = 0;
  std::uint64_t body_bytes_sent = 0;
  std::uint64_t request_length = 0;  // head and body, as received
  std::uint16_t status = 0;
  std::uint16_t upstream_status = 0;
  std::uint16_t client_port = 0;
  std::uint8_t attempts = 0;
  bool has_upstream = false;
  std::uint16_t sizes[static_cast<std::size_t>(LogText::kCount)] = {};
};

class AccessLog {
 public:
  // A log that is off takes nothing and costs a branch.
  AccessLog(const config::AccessLog& settings, int workers);
  ~AccessLog();

  // False and a reason if the file cannot be opened.
  bool open(std::string& error);
  bool on() const { return on_; }
  // Worker `i`'s thread.
  void write(int worker, LogRecord& record, const std::string_view (&texts)[static_cast<std::size_t>(LogText::kCount)]);
  // Re-opens the file (log rotation). Any thread.
  void reopen();
  std::uint64_t dropped() const;
  void stop();

  // One line, without the newline's ring: for tests.
  static void format(const LogRecord& record, const char* texts, std::string& out);

 private:
  void run();
  void flush(std::string& out);
  bool drain_rings(std::string& out);

  config::AccessLog settings_;
  bool on_;
  int fd_ = -1;
  std::vector<std::unique_ptr<LogRing>> rings_;
  std::atomic<bool> wake_{false}, stopping_{false}, reopen_{false};
  std::atomic<std::uint64_t> write_failures_{0};
  std::mutex lock_;
  std::condition_variable ready_;
  std::thread thread_;
};

}  // namespace albatross
