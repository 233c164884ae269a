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

// What stands before each text, in the order of LogText.
constexpr std::string_view kOpenings[kTexts] = {R"(,"request_method":")",
                                                R"(,"request_uri":")",
                                                R"(,"host":")",
                                                R"(,"client_ip":")",
                                                R"(,"scheme":")",
                                                R"(,"server_protocol":")",
                                                R"(,"upstream_addr":")",
                                                R"(,"http_user_agent":")",
                                                R"(,"http_referer":")",
                                                R"(,"http_x_forwarded_for":")",
                                                R"(,"listener":")",
                                                R"(,"rule":")",
                                                R"(,"server_group":")",
                                                R"(,"termination":")",
                                                R"(,"termination_detail":")",
                                                R"(,"failed_tries":")",
                                                R"(,"request_id":")",
                                                R"(,"trace_id":")",
                                                R"(,"ssl_protocol":")",
                                                R"(,"ssl_cipher":")"};
constexpr std::size_t kMostOfNumbers = 1024;  // the length of a line without its texts
constexpr std::size_t kLongestEscape = 6;     // of a byte
constexpr std::size_t kWord = sizeof(std::uint64_t);

// Whether none of eight characters needs an escape in a JSON string. May be wrong about one behind one that does.
bool all_plain(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const auto has = [](std::uint64_t w, unsigned char c) { return ((w ^ (kOnes * c)) - kOnes) & ~(w ^ (kOnes * c)); };
  const std::uint64_t controls = (word - kOnes * 0x20) & ~word;
  return ((word | controls | has(word, '"') | has(word, '\\') | has(word, 0x7f)) & kHigh) == 0;
}

// Writes a line into room that is large enough.
class Line {
 public:
  explicit Line(char* room) : p_(room) {}
  char* end() const { return p_; }

  void raw(std::string_view s) {
    std::memcpy(p_, s.data(), s.size());
    p_ += s.size();
  }
  // As the content of a JSON string. A byte that is not UTF-8 is read as Latin-1.
  void text(std::string_view s) {
    while (!s.empty()) {
      std::uint64_t word = 0x2020202020202020;
      const std::size_t n = s.size() < kWord ? s.size() : kWord;
      std::memcpy(&word, s.data(), n);
      if (all_plain(word)) {
        std::memcpy(p_, &word, kWord);
        p_ += n;
        s.remove_prefix(n);
      } else {
        s.remove_prefix(character(s));
      }
    }
  }
  void number(std::string_view key, std::uint64_t n) {
    raw(key);
    p_ = std::to_chars(p_, p_ + 20, n).ptr;
  }
  void seconds(std::string_view key, Nanos n) {
    const std::uint64_t micros = (n + 500) / 1000;
    number(key, micros / 1'000'000);
    *p_++ = '.';
    p_ = write_six_digits(p_, static_cast<std::uint32_t>(micros % 1'000'000));
  }

 private:
  // Writes the first character. Returns its length in bytes.
  std::size_t character(std::string_view s) {
    const std::size_t n = utf8_length(s);
    if (s[0] == '"' || s[0] == '\\') {
      *p_++ = '\\';
      *p_++ = s[0];
      return 1;
    }
    if (is_control(s[0]) || n == 0) {
      raw("\\u00");
      p_ = write_hex(p_, static_cast<unsigned char>(s[0]), 2);
      return 1;
    }
    raw(s.substr(0, n));
    return n;
  }

  char* p_;
};

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
  thread_local Timestamp time;
  std::size_t bytes = 0;
  for (const std::uint16_t size : r.sizes) bytes += size;
  const std::size_t before = out.size();
  out.resize(before + kMostOfNumbers + kLongestEscape * bytes + kWord);
  Line line(out.data() + before);
  line.raw("{\"time\":\"");
  line.raw(time.text(r.wall));
  line.number("\",\"status\":", r.status);
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (r.sizes[i] == 0) continue;
    line.raw(kOpenings[i]);
    line.text({texts, r.sizes[i]});
    line.raw("\"");
    texts += r.sizes[i];
  }
  if (r.client_port != 0) line.number(",\"client_port\":", r.client_port);
  line.seconds(",\"request_time\":", r.request_time);
  line.number(",\"request_length\":", r.request_length);
  line.number(",\"body_bytes_sent\":", r.body_bytes_sent);
  if (r.attempts > 0) line.number(",\"attempts\":", r.attempts);
  if (r.grpc_status >= 0) line.number(",\"grpc_status\":", static_cast<std::uint64_t>(r.grpc_status));
  if (r.has_upstream) {
    if (r.upstream_status != 0) {
      line.number(",\"upstream_status\":", r.upstream_status);
      line.seconds(",\"upstream_header_time\":", r.upstream_header_time);
    }
    line.seconds(",\"upstream_response_time\":", r.upstream_response_time);
    line.seconds(",\"upstream_connect_time\":", r.upstream_connect_time);
  }
  line.raw("}\n");
  out.resize(static_cast<std::size_t>(line.end() - out.data()));
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
