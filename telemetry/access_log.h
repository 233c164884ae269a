// The access log: a line of JSON for each request, formatted off the request path. Owned by the Process.
//
// Each worker writes a LogRecord and the bytes of its texts into a ring of its own. One writer thread, which the log
// owns, formats the records and writes the lines: every 200 ms, earlier if a ring is half full, and at stop(). A full
// ring drops records and counts them.
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

// The texts of a record, in the order in which they follow it.
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
  kTerminationDetail,
  kFailedTries,
  kRequestId,
  kTraceId,
  kSslProtocol,
  kSslCipher,
  kCount
};

// The numbers of a record; docs/operations.md has the fields.
struct LogRecord {
  Nanos wall = 0;          // wall time when the request began
  Nanos request_time = 0;  // until the exchange ended
  Nanos upstream_response_time = 0;
  Nanos upstream_header_time = 0;  // of a response
  Nanos upstream_connect_time = 0;
  std::uint64_t body_bytes_sent = 0;
  std::uint64_t request_length = 0;  // head and body, as received
  std::uint16_t status = 0;
  std::uint16_t upstream_status = 0;  // 0: no response
  std::uint16_t client_port = 0;      // 0: a unix socket
  std::uint8_t attempts = 0;
  std::int16_t grpc_status = -1;                                        // -1: the response had none
  bool has_upstream = false;                                            // a server was asked
  std::uint16_t sizes[static_cast<std::size_t>(LogText::kCount)] = {};  // of the texts; set by write()
};

class AccessLog {
 public:
  // Makes a ring for each of `workers`. A log that is off has none and writes nothing.
  AccessLog(const config::AccessLog& settings, int workers);
  ~AccessLog();

  // Opens the file and starts the writer thread. False if the file cannot be opened; `error` says why.
  bool open(std::string& error);
  bool on() const { return on_; }
  // Hands a record to the writer thread, with texts cut at 4096 bytes; only while on(). Called on that worker's thread.
  void write(int worker, LogRecord& record, const std::string_view (&texts)[static_cast<std::size_t>(LogText::kCount)]);
  // Opens the file again, after it was rotated. On failure returns false and sets `error`, and writing to the old file
  // goes on. Control thread.
  bool reopen(std::string& error);
  // Records that did not fit a ring, and writes that failed. Any thread.
  std::uint64_t dropped() const;
  // Writes the records in the rings and ends the writer thread. Idempotent; nothing may be written afterwards.
  void stop();

  // Appends the line of a record to `out`. `texts`: the bytes that follow it.
  static void format(const LogRecord& record, const char* texts, std::string& out);

 private:
  void run();
  char* drain_rings();
  void flush(const char* end);

  config::AccessLog settings_;
  bool on_;
  int fd_ = -1;
  std::vector<std::unique_ptr<LogRing>> rings_;
  std::unique_ptr<char[]> lines_;  // formatted and not written yet; the writer's
  std::atomic<bool> wake_{false}, stopping_{false};
  std::atomic<int> next_fd_{-1};  // the file that reopen() has opened, for the writer
  std::atomic<std::uint64_t> write_failures_{0};
  std::mutex lock_;
  std::condition_variable ready_;
  std::thread thread_;
};

}  // namespace albatross
