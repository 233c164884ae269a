#include "telemetry/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/text.h"
#include "base/timestamp.h"

namespace albatross {
namespace {

constexpr std::size_t kRing = 4u << 20;
constexpr std::size_t kMaxText = 4096;
constexpr auto kTexts = static_cast<std::size_t>(LogText::kCount);

constexpr std::string_view kKeys[kTexts] = {"request_method",
                                            "request_uri",
                                            "host",
                                            "client_ip",
                                            "scheme",
                                            "server_protocol",
                                            "upstream_addr",
                                            "http_user_agent",
                                            "http_referer",
                                            "http_x_forwarded_for",
                                            "listener",
                                            "rule",
                                            "server_group",
                                            "termination",
                                            "termination_detail",
                                            "failed_tries",
                                            "request_id",
                                            "trace_id",
                                            "ssl_protocol",
                                            "ssl_cipher"};

// The characters that need no escape in a JSON string.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> t{};
  for (int c = 0x20; c < 0x7f; ++c) t[static_cast<std::size_t>(c)] = c != '"' && c != '\\';
  return t;
}();

// Appends the text as the content of a JSON string. A byte that is not UTF-8 is read as Latin-1.
void escape(std::string_view s, std::string& out) {
  while (!s.empty()) {
    std::size_t plain = 0;
    while (plain < s.size() && kPlain[static_cast<unsigned char>(s[plain])]) ++plain;
    out.append(s.data(), plain);
    s.remove_prefix(plain);
    if (s.empty()) return;
    unsigned char c = static_cast<unsigned char>(s[0]);
    std::size_t n = utf8_length(s);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += s[0];
      n = 1;
    } else if (is_control(s[0]) || n == 0) {
      char code[6] = {'\\', 'u', '0', '0'};
      write_hex(code + 4, c, 2);
      out.append(code, sizeof code);
      n = 1;
    } else {
      out += s.substr(0, n);
    }
    s.remove_prefix(n);
  }
}

void number(std::uint64_t n, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, n).ptr);
}

void seconds(Nanos n, std::string& out) {
  std::uint64_t micros = (n + 500) / 1000;
  number(micros / 1'000'000, out);
  out += '.';
  char text[6];
  out.append(text, write_six_digits(text, static_cast<std::uint32_t>(micros % 1'000'000)));
}

int open_file(const std::string& path, std::string& error) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) error = "access log " + path + ": " + std::strerror(errno);
  return fd;
}

}  // namespace

AccessLog::AccessLog(const config::AccessLog& settings, int workers)
    : settings_(settings), on_(settings.target != config::AccessLog::Target::kOff) {
  if (!on_) return;
  for (int i = 0; i < workers; ++i) rings_.push_back(std::make_unique<LogRing>(kRing));
}

AccessLog::~AccessLog() { stop(); }

bool AccessLog::open(std::string& error) {
  if (!on_) return true;
  switch (settings_.target) {
    case config::AccessLog::Target::kStdout: fd_ = STDOUT_FILENO; break;
    case config::AccessLog::Target::kStderr: fd_ = STDERR_FILENO; break;
    default: fd_ = open_file(*settings_.path, error);
  }
  if (fd_ < 0) return false;
  thread_ = std::thread([this] { run(); });
  return true;
}

void AccessLog::write(int worker, LogRecord& record, const std::string_view (&texts)[kTexts]) {
  LogRing& ring = *rings_[static_cast<std::size_t>(worker)];
  std::size_t total = sizeof record;
  for (std::size_t i = 0; i < kTexts; ++i) {
    record.sizes[i] = static_cast<std::uint16_t>(texts[i].size() < kMaxText ? texts[i].size() : kMaxText);
    total += record.sizes[i];
  }
  char* p = ring.reserve(total);
  if (p == nullptr) return;
  std::memcpy(p, &record, sizeof record);
  p += sizeof record;
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (record.sizes[i] == 0) continue;
    std::memcpy(p, texts[i].data(), record.sizes[i]);
    p += record.sizes[i];
  }
  ring.commit();
  if (ring.over_half() && !wake_.exchange(true, std::memory_order_relaxed)) ready_.notify_one();
}

void AccessLog::format(const LogRecord& r, const char* texts, std::string& out) {
  out += "{\"time\":\"";
  thread_local Timestamp time;
  out += time.text(r.wall);
  out += "\",\"status\":";
  number(r.status, out);
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (r.sizes[i] == 0) continue;
    out += ",\"";
    out += kKeys[i];
    out += "\":\"";
    escape({texts, r.sizes[i]}, out);
    out += '"';
    texts += r.sizes[i];
  }
  auto field = [&](std::string_view key) {
    out += ",\"";
    out += key;
    out += "\":";
  };
  const auto count = [&](std::string_view key, std::uint64_t n) {
    field(key);
    number(n, out);
  };
  const auto duration = [&](std::string_view key, Nanos n) {
    field(key);
    seconds(n, out);
  };
  if (r.client_port != 0) count("client_port", r.client_port);
  duration("request_time", r.request_time);
  count("request_length", r.request_length);
  count("body_bytes_sent", r.body_bytes_sent);
  if (r.attempts > 0) count("attempts", r.attempts);
  if (r.grpc_status >= 0) count("grpc_status", static_cast<std::uint64_t>(r.grpc_status));
  if (r.has_upstream) {
    if (r.upstream_status != 0) count("upstream_status", r.upstream_status);
    if (r.upstream_status != 0) duration("upstream_header_time", r.upstream_header_time);
    duration("upstream_response_time", r.upstream_response_time);
    duration("upstream_connect_time", r.upstream_connect_time);
  }
  out += "}\n";
}

bool AccessLog::drain_rings(std::string& out) {
  bool any = false;
  for (auto& ring : rings_) {
    for (std::string_view raw = ring->front(); !raw.empty(); raw = ring->front()) {
      LogRecord r;
      std::memcpy(static_cast<void*>(&r), raw.data(), sizeof r);
      format(r, raw.data() + sizeof r, out);
      ring->pop();
      any = true;
      if (out.size() > 256 * 1024) flush(out);
    }
  }
  return any;
}

void AccessLog::flush(std::string& out) {
  for (std::size_t at = 0; at < out.size();) {
    ssize_t n = ::write(fd_, out.data() + at, out.size() - at);
    if (n > 0) {
      at += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      write_failures_.fetch_add(1, std::memory_order_relaxed);  // such as a full disk: the lines are lost
      break;
    }
  }
  out.clear();
}

void AccessLog::run() {
  std::string out;
  while (true) {
    bool last = stopping_.load();
    wake_.store(false);
    drain_rings(out);
    flush(out);
    if (last) return;
    if (const int fd = next_fd_.exchange(-1); fd >= 0) {
      ::close(fd_);
      fd_ = fd;
    }
    std::unique_lock lock(lock_);
    ready_.wait_for(lock, std::chrono::milliseconds(200),
                    [this] { return wake_.load() || stopping_.load() || next_fd_.load() >= 0; });
  }
}

bool AccessLog::reopen(std::string& error) {
  if (settings_.target != config::AccessLog::Target::kFile) return true;
  const int fd = open_file(*settings_.path, error);
  if (fd < 0) return false;
  if (const int unused = next_fd_.exchange(fd); unused >= 0) ::close(unused);
  ready_.notify_one();
  return true;
}

std::uint64_t AccessLog::dropped() const {
  std::uint64_t n = write_failures_.load(std::memory_order_relaxed);
  for (const auto& r : rings_) n += r->dropped();
  return n;
}

void AccessLog::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(lock_);
    stopping_.store(true);
  }
  ready_.notify_one();
  thread_.join();
  if (settings_.target == config::AccessLog::Target::kFile) ::close(fd_);
}

}  // namespace albatross
